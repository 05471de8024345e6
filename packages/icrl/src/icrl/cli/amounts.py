"""How much a command does where the user does not say: tasks, episodes and steps, by budget."""

from dataclasses import dataclass

from icrl.families import TaskFamily
from icrl.native import NativeFamily


@dataclass(frozen=True)
class Amounts:
    """What a budget allows."""

    most_training_tasks: int | None
    """Of a finite split; None: all."""
    open_training_tasks: int
    """Where a split has as many tasks as asked for."""
    most_test_tasks: int
    open_test_tasks: int
    """Of a simulator that steps one by one; a native family's cost next to nothing."""
    most_source_shards: int | None
    """Of test tasks that the source learns afresh; a slow one takes longer than the rest."""
    most_episodes: int | None
    """Of a trial; None: as many as the literature plays."""
    most_steps: int | None
    """Of a trial; what is longer is cut short."""


AMOUNTS = {
    "smoke": Amounts(4, 4, 4, 4, 4, 2, 200),
    "default": Amounts(None, 8, 100, 8, 4, None, None),
    "full": Amounts(None, 64, 1000, 64, None, None, None),
}


def num_training_tasks(family: TaskFamily, budget: str, asked: int | None) -> int:
    """How many training tasks: what was asked for, at most all of a finite split."""
    amounts, available = AMOUNTS[budget], family.num_tasks.get("train")
    if asked is not None:
        return asked if available is None else min(asked, available)
    if available is None:
        return amounts.open_training_tasks
    return min(available, amounts.most_training_tasks or available)


def num_test_tasks(family: TaskFamily, split: str, budget: str, asked: int | None) -> int:
    """How many tasks an evaluation plays; the family refuses more than a split has."""
    amounts, available = AMOUNTS[budget], family.num_tasks.get(split)
    if asked is not None:
        return asked
    if available is None:
        native = isinstance(family, NativeFamily)
        return amounts.most_test_tasks if native else amounts.open_test_tasks
    return min(available, amounts.most_test_tasks)


def num_episodes(family: TaskFamily, budget: str, asked: int | None) -> int:
    """How many episodes each trial has."""
    most = AMOUNTS[budget].most_episodes
    return asked or (family.trial_episodes if most is None else min(family.trial_episodes, most))
