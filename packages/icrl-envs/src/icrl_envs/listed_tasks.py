"""Listed tasks: splits that a paper writes down value by value."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from icrl.families import TaskFamily
from icrl.tasks import Tasks

Cell = Mapping[str, Sequence[Any]]
"""Values of each hidden number; the cell's tasks are all of their combinations."""


class ListedTasks:
    """Finite splits, each a list of cells; and `test`, all that is held out.

    A task that stands in several held-out cells is one task of `test`.
    """

    def __init__(self, *, dtype: torch.dtype = torch.float32, **splits: Sequence[Cell]) -> None:
        """`splits`: the cells of `train`, and of every held-out split but `test`."""
        held_out = [cell for name, cells in splits.items() if name != "train" for cell in cells]
        cells = {"train": splits["train"], "test": held_out, **splits}
        self._names = tuple(held_out[0])
        self._dtype = dtype
        self._values = {
            split: list(dict.fromkeys(_combinations(self._names, listed)))
            for split, listed in cells.items()
        }

    @property
    def splits(self) -> tuple[str, ...]:
        """Train, test, and then the others as they were given: a family's `splits`."""
        return tuple(self._values)

    @property
    def num_tasks(self) -> dict[str, int | None]:
        """How many tasks each split has: a family's `num_tasks`."""
        return {split: len(values) for split, values in self._values.items()}

    def sample(self, family: TaskFamily, num_tasks: int, *, split: str, seed: int) -> Tasks:
        """Tasks of a family whose splits these are: its `sample_tasks`."""
        family.check_split(split)
        family.check_num_tasks(num_tasks, split)
        drawn = self.draw(num_tasks, split=split, seed=seed)
        return Tasks(family.id, dict(family.arguments), split, drawn)

    def draw(self, num_tasks: int, *, split: str, seed: int) -> dict[str, Tensor]:
        """Distinct tasks [tasks, ...] of a split in an order that `seed` fixes."""
        values = self._values[split]
        order = torch.randperm(len(values), generator=torch.Generator().manual_seed(seed))
        chosen = [values[i] for i in order[:num_tasks].tolist()]
        columns = zip(*chosen, strict=True)
        return {
            name: torch.tensor(column, dtype=self._dtype)
            for name, column in zip(self._names, columns, strict=True)
        }


def _combinations(names: Sequence[str], cells: Sequence[Cell]) -> list[tuple[Any, ...]]:
    return [values for cell in cells for values in product(*(cell[name] for name in names))]
