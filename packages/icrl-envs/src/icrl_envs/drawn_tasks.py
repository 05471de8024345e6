"""Drawn tasks: control tasks from a continuum, as meta-reinforcement learning has them."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from icrl.errors import ConfigError, TaskError
from icrl.tasks import Tasks
from icrl_envs.counts import check_counts
from icrl_envs.mujoco_tasks import MujocoTasks
from icrl_envs.streams import task_stream

LATTICE = 2**20
"""Points of a range of tasks, at most."""


class DrawnTasks(MujocoTasks):
    """Control tasks that are drawn from a continuum.

    Unless `num_train_tasks` or `num_test_tasks` says how many tasks a split has, it has as many as
    asked for, drawn from a stream of its own.
    """

    def __init__(
        self,
        *,
        horizon: int,
        num_train_tasks: int | None,
        num_test_tasks: int | None,
        split_seed: int,
        trial_episodes: int,
    ) -> None:
        """Make one environment, and read its spaces.

        Raises:
            ConfigError: for numbers out of range.
            MissingPackageError: without MuJoCo.
        """
        self.num_tasks = {"train": num_train_tasks, "test": num_test_tasks}
        sizes = {f"num_{split}_tasks": n for split, n in self.num_tasks.items() if n is not None}
        check_counts(1, **sizes)
        check_counts(0, split_seed=split_seed)
        self._split_seed = split_seed
        super().__init__(horizon=horizon, trial_episodes=trial_episodes)

    @abstractmethod
    def draw(self, num_tasks: int, split: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Tasks [tasks, ...] of a split, all distinct, and none of them in another split."""

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Tasks [tasks, ...] of a split."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        size = self.num_tasks.get(split)
        if size is None:
            arrays = self.draw(num_tasks, split, task_stream(self._split_seed, split, seed))
        else:
            pool = self.draw(size, split, task_stream(self._split_seed, f"all of {split}", 0))
            order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
            arrays = {name: array[order[:num_tasks]] for name, array in pool.items()}
        return Tasks(self.id, dict(self.arguments), split, arrays)


def lattice(
    num_tasks: int, split: str, generator: torch.Generator, *, points: int = LATTICE
) -> Tensor:
    """Distinct points of a lattice, [num_tasks] int64: even ones in train, odd ones in test.

    Raises:
        TaskError: for more than half of the lattice.
    """
    if num_tasks > points // 2:
        raise TaskError(f"{num_tasks} tasks asked for ({split}); a split has {points // 2}.")
    return 2 * torch.randperm(points // 2, generator=generator)[:num_tasks] + (split == "test")


def on_lattice(
    num_tasks: int, split: str, generator: torch.Generator, *, low: float, high: float
) -> Tensor:
    """Distinct numbers of a range, [num_tasks] float32, none of them in another split."""
    points = points_between(low, high)
    share = (lattice(num_tasks, split, generator, points=points) + 0.5) / points
    return (low + (high - low) * share).float()


def points_between(low: float, high: float) -> int:
    """How many points a lattice has in a range: fewer in one so narrow, for how far it is from
    zero, that float32 would not keep them apart.

    Raises:
        ConfigError: if there is not one for each split.
    """
    # Rounding moves each of two neighbours by less than one and a half steps of float32.
    step = 4 * float(np.spacing(np.float32(max(abs(low), abs(high)))))
    points = min(LATTICE, int((high - low) / step) // 2 * 2)
    if points < 2:
        raise ConfigError(
            f"there are no two tasks between {low} and {high}: expected a wider range."
        )
    return points
