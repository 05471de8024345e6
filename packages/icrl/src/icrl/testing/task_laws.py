"""TaskLaws: what drawing tasks promises."""

import pytest
import torch

from icrl.errors import SplitError, TaskError
from icrl.families import TaskFamily
from icrl.tasks import Tasks


class FamilyLaws:
    """What every group of laws needs: the family."""

    def make_family(self) -> TaskFamily:
        """The family to be tested, made anew at each call, as `icrl.make_family` would make it."""
        raise NotImplementedError("a family contract needs make_family")


class TaskLaws(FamilyLaws):
    """The laws of `sample_tasks`."""

    def test_splits_share_no_task(self) -> None:
        """*Disjoint*, by what the tasks are made of: no other split has a training task.

        Splits that are held out may overlap: of CaDM's, `test` is `moderate` and `extreme`.
        """
        family = self.make_family()
        trained = set(contents(many_tasks(family, "train")))
        for split in family.splits:
            if split != "train":
                shared = trained & set(contents(many_tasks(family, split)))
                assert not shared, f"{len(shared)} tasks of train are in {split} too"

    def test_there_are_train_and_test_splits(self) -> None:
        """*Split*."""
        assert {"train", "test"} <= set(self.make_family().splits)

    def test_tasks_drawn_together_are_distinct(self) -> None:
        """*Distinct*."""
        family = self.make_family()
        for split in family.splits:
            drawn = contents(many_tasks(family, split))
            assert len(set(drawn)) == len(drawn), f"{split} drew a task twice"

    def test_a_seed_draws_the_same_tasks_again(self) -> None:
        """*Repeatable*, also in a family that is made anew."""
        first, again = (
            contents(many_tasks(self.make_family(), "train", seed=11)) for _ in range(2)
        )
        assert first == again, "one seed drew different tasks"

    def test_the_seed_picks_from_a_fixed_partition(self) -> None:
        """*Partition*: which tasks a finite split has is the family's, not the seed's.

        A split with more tasks than can be looked at is only asked for other orders.
        """
        family = self.make_family()
        for split in family.splits:
            first, second = (contents(many_tasks(family, split, seed=seed)) for seed in (0, 1))
            if len(first) == family.num_tasks.get(split):
                assert set(first) == set(second), f"the seed changed which tasks {split} has"
            others = (contents(many_tasks(family, split, seed=seed)) for seed in range(1, 31))
            assert len(first) == 1 or any(other != first for other in others), (
                f"31 seeds drew the same tasks of {split} in the same order"
            )

    def test_tasks_say_where_they_come_from(self) -> None:
        """*Named*: family, arguments and split."""
        family = self.make_family()
        for split in family.splits:
            tasks = family.sample_tasks(1, split=split, seed=0)
            named = (tasks.family, dict(tasks.arguments), tasks.split)
            assert named == (family.id, dict(family.arguments), split), f"tasks are named {named}"

    def test_a_split_that_does_not_exist_is_refused(self) -> None:
        """*Refusals*."""
        with pytest.raises(SplitError):
            self.make_family().sample_tasks(1, split="no such split", seed=0)

    def test_more_tasks_than_there_are_are_refused(self) -> None:
        """*Refusals*: also none at all."""
        family = self.make_family()
        for split in family.splits:
            available = family.num_tasks.get(split)
            for count in (0,) if available is None else (0, available + 1):
                with pytest.raises(TaskError):
                    family.sample_tasks(count, split=split, seed=0)

    def test_tasks_of_another_family_are_refused(self) -> None:
        """*Refusals*: also tasks of the same family with other arguments."""
        family = self.make_family()
        tasks = family.sample_tasks(1, seed=0)
        for name, arguments in (("another", tasks.arguments), (family.id, {"other": 1})):
            with pytest.raises(TaskError):
                family.vector_env(Tasks(name, arguments, tasks.split, tasks.arrays))


def many_tasks(family: TaskFamily, split: str, seed: int = 0, most: int = 2000) -> Tasks:
    """All tasks of a split, or as many of them as can be looked at."""
    available = family.num_tasks.get(split)
    count = 257 if available is None else min(available, most)
    return family.sample_tasks(count, split=split, seed=seed)


def few_tasks(family: TaskFamily, most: int, split: str = "train") -> Tasks:
    """So many tasks of a split, or all that it has."""
    available = family.num_tasks.get(split)
    return family.sample_tasks(
        most if available is None else min(most, available), split=split, seed=0
    )


def contents(tasks: Tasks) -> list[bytes]:
    """Each task as bytes, by what it is made of."""
    columns = [tasks.arrays[name].reshape(len(tasks), -1) for name in sorted(tasks.arrays)]
    table = torch.cat([column.double() for column in columns], dim=1).cpu().numpy()
    return [row.tobytes() for row in table]
