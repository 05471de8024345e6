"""Partition: how finitely many tasks are divided into train and test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icrl.errors import ConfigError
from icrl.partition import Partition


def members(partition, split):
    count = partition.num_tasks[split]
    return set(partition.draw(count, split=split, seed=0).tolist())


@given(st.integers(2, 97), st.integers(0, 2**40), st.data())
def test_splits_are_disjoint_parts_of_the_whole(total, split_seed, data):
    held_out = data.draw(st.integers(1, total - 1))
    train = data.draw(st.none() | st.integers(1, total - held_out))
    partition = Partition(
        total, num_train_tasks=train, num_test_tasks=held_out, split_seed=split_seed
    )
    train_members, test_members = members(partition, "train"), members(partition, "test")
    assert not train_members & test_members
    assert train_members | test_members <= set(range(total))
    assert partition.num_tasks == {"train": train or total - held_out, "test": held_out}


def test_a_fifth_is_held_out_by_default():
    partition = Partition(81, num_train_tasks=None, num_test_tasks=None, split_seed=0)
    assert partition.num_tasks == {"train": 65, "test": 16}


def test_the_held_out_tasks_do_not_depend_on_how_many_train():
    few, many = (
        Partition(81, num_train_tasks=n, num_test_tasks=16, split_seed=3) for n in (20, 65)
    )
    assert members(few, "test") == members(many, "test")
    assert members(few, "train") < members(many, "train")


def test_another_split_seed_holds_out_other_tasks():
    one, other = (
        Partition(81, num_train_tasks=None, num_test_tasks=None, split_seed=s) for s in (0, 1)
    )
    assert members(one, "test") != members(other, "test")


@pytest.mark.parametrize(
    ("train", "held_out", "message"),
    [
        (None, 9, "num_train_tasks=all others and num_test_tasks=9"),
        (None, 0, "num_test_tasks=0"),
        (5, 5, "9 tasks cannot be divided into num_train_tasks=5 and num_test_tasks=5"),
        (0, 3, "num_train_tasks=0"),
    ],
)
def test_an_empty_or_too_large_split_is_refused(train, held_out, message):
    with pytest.raises(ConfigError, match=message):
        Partition(9, num_train_tasks=train, num_test_tasks=held_out, split_seed=0)


def test_a_negative_split_seed_is_refused():
    with pytest.raises(ConfigError, match="split_seed=-1"):
        Partition(9, num_train_tasks=None, num_test_tasks=None, split_seed=-1)


@pytest.mark.parametrize("name", ["num_train_tasks", "num_test_tasks", "split_seed"])
def test_what_is_no_whole_number_is_refused(name):
    counts = {"num_train_tasks": 3, "num_test_tasks": 3, "split_seed": 0} | {name: 2.5}
    with pytest.raises(ConfigError, match=f"{name}=2.5: expected a whole number"):
        Partition(9, **counts)
