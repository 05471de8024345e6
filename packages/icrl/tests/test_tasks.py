"""Tasks: slicing, joining, moving and saving many tasks of one family."""

import numpy as np
import pytest
import torch

from icrl.errors import DamagedFileError, TaskError
from icrl.tasks import Tasks


@pytest.fixture
def tasks():
    goals = torch.arange(14).reshape(7, 2)
    return Tasks(
        "icrl/DarkRoom-v0", {"size": 9}, "test", {"goal": goals, "gain": torch.arange(7.0)}
    )


def test_an_index_keeps_the_task_axis(tasks):
    assert len(tasks[3]) == 1 and tasks[3].arrays["goal"].tolist() == [[6, 7]]
    assert tasks[-1].arrays["goal"].tolist() == [[12, 13]]


def test_an_index_beyond_the_end_is_an_index_error(tasks):
    with pytest.raises(IndexError, match="task 7 of 7"):
        tasks[7]


def test_iterating_gives_each_task_once(tasks):
    assert torch.equal(torch.cat([t.arrays["goal"] for t in tasks]), tasks.arrays["goal"])


def test_a_row_is_a_fresh_dict_of_numpy_arrays(tasks):
    tasks.row(2)["goal"][:] = 99
    assert isinstance(tasks.row(2)["goal"], np.ndarray) and tasks.row(2)["goal"].tolist() == [4, 5]


def test_repeating_puts_equal_tasks_side_by_side(tasks):
    assert tasks[:2].repeat(3).arrays["gain"].tolist() == [0, 0, 0, 1, 1, 1]


def test_concatenated_parts_are_the_whole(tasks):
    whole = Tasks.concatenate([tasks[:3], tasks[3:]])
    assert torch.equal(whole.arrays["goal"], tasks.arrays["goal"])


def test_tasks_of_another_split_do_not_concatenate(tasks):
    other = Tasks(tasks.family, tasks.arguments, "train", tasks.arrays)
    with pytest.raises(TaskError, match=r"train.*cannot follow.*test"):
        Tasks.concatenate([tasks, other])


def test_no_parts_do_not_concatenate():
    with pytest.raises(TaskError, match="no tasks to concatenate"):
        Tasks.concatenate([])


def test_arrays_of_unequal_length_are_refused():
    with pytest.raises(TaskError, match="same leading task axis"):
        Tasks("x", {}, "test", {"a": torch.zeros(3), "b": torch.zeros(5)})


def test_tasks_survive_the_way_to_disk(tasks, tmp_path):
    tasks.save(tmp_path / "tasks.safetensors")
    loaded = Tasks.load(tmp_path / "tasks.safetensors")
    assert (loaded.family, loaded.arguments, loaded.split) == (
        tasks.family,
        tasks.arguments,
        tasks.split,
    )
    assert torch.equal(loaded.arrays["goal"], tasks.arrays["goal"])


def test_a_truncated_file_is_refused_by_name(tasks, tmp_path):
    path = tmp_path / "tasks.safetensors"
    tasks.save(path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedFileError, match=r"tasks\.safetensors"):
        Tasks.load(path)
