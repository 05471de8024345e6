"""ContextSets: finite lists of hidden parameters, to train on, and farther and farther from that.

As in Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based
Reinforcement Learning" (CaDM), arXiv:2005.06800.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

Cell = Mapping[str, Sequence[float]]
"""A list of values for each parameter; its tasks are all their combinations."""


class ContextSets:
    """The tasks of four splits: `train`, `moderate`, `extreme`, and `test`, which is the last two
    together.
    """

    splits = ("train", "test", "moderate", "extreme")

    def __init__(
        self, *, train: Sequence[Cell], moderate: Sequence[Cell], extreme: Sequence[Cell]
    ) -> None:
        """List the tasks; every cell names the same parameters, and a task counts once."""
        self.names = tuple(train[0])
        self._tasks = {
            "train": self._listed(train),
            "test": self._listed((*moderate, *extreme)),
            "moderate": self._listed(moderate),
            "extreme": self._listed(extreme),
        }

    @property
    def num_tasks(self) -> dict[str, int | None]:
        """How many tasks each split has: a family's `num_tasks`."""
        return {split: len(tasks) for split, tasks in self._tasks.items()}

    @property
    def task_space(self) -> spaces.Dict:
        """Every value of a parameter from the least to the greatest that any split has."""
        every = torch.cat(list(self._tasks.values()))
        low, high = every.amin(0).numpy(), every.amax(0).numpy()
        boxes = (spaces.Box(*ends, (), np.float32) for ends in zip(low, high, strict=True))
        return spaces.Dict(dict(zip(self.names, boxes, strict=True)))

    def draw(self, num_tasks: int, *, split: str, seed: int) -> dict[str, Tensor]:
        """Distinct tasks of a split in an order that `seed` fixes, [num_tasks] float32 each."""
        tasks = self._tasks[split]
        order = torch.randperm(len(tasks), generator=torch.Generator().manual_seed(seed))
        columns = tasks[order[:num_tasks]].unbind(1)
        return {name: column.clone() for name, column in zip(self.names, columns, strict=True)}

    def _listed(self, cells: Sequence[Cell]) -> Tensor:
        """[tasks, parameters]"""
        rows = (row for cell in cells for row in product(*(cell[name] for name in self.names)))
        return torch.tensor(list(dict.fromkeys(rows)))
