"""Tasks: a frozen struct of arrays that holds many tasks of one family."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from icrl.errors import TaskError
from icrl.files import read_tensors, write_tensors


@dataclass(frozen=True)
class Tasks:
    """Tasks of one family: named tensors, each with a leading task axis.

    Two `Tasks` concatenate only if family, arguments and split agree.
    """

    family: str
    """The family's id."""
    arguments: Mapping[str, Any]
    """The keyword arguments that the family was made with (plain JSON data)."""
    split: str
    """The split that the tasks were drawn from."""
    arrays: Mapping[str, Tensor] = field(repr=False)
    """What defines each task: `{"goal": [tasks, 2]}`."""

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self.arrays.items()}
        if not lengths or len(set(lengths.values())) != 1:
            raise TaskError(
                f"every array of tasks needs the same leading task axis, got lengths {lengths}."
            )

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Self:
        """The chosen tasks, always with a task axis: `tasks[3]` holds one task."""
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"task {index} of {len(self)}")
            index = [index % len(self)]
        if not isinstance(index, slice):
            index = torch.as_tensor(index)
        return replace(self, arrays={name: array[index] for name, array in self.arrays.items()})

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def row(self, index: int) -> dict[str, np.ndarray]:
        """One task as fresh NumPy arrays, as `info["task"]` and `options["task"]` have it."""
        return {
            name: array[index].detach().cpu().numpy().copy() for name, array in self.arrays.items()
        }

    def to(self, device: torch.device | str) -> Self:
        """The same tasks on another device."""
        return replace(self, arrays={name: array.to(device) for name, array in self.arrays.items()})

    def repeat(self, times: int) -> Self:
        """Each task `times` times in a row: row `i` holds task `i // times`."""
        return replace(
            self,
            arrays={
                name: array.repeat_interleave(times, dim=0) for name, array in self.arrays.items()
            },
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Tasks of one family and split, one after another.

        Raises:
            TaskError: if there are none, or they are of several families or splits.
        """
        if not parts:
            raise TaskError("there are no tasks to concatenate; give at least one part.")
        first = parts[0]
        for part in parts[1:]:
            if (part.family, part.arguments, part.split) != (
                first.family,
                first.arguments,
                first.split,
            ):
                raise TaskError(
                    f"tasks of {part.family} {dict(part.arguments)} ({part.split}) cannot follow "
                    f"tasks of {first.family} {dict(first.arguments)} ({first.split})."
                )
        return replace(
            first,
            arrays={
                name: torch.cat([part.arrays[name] for part in parts]) for name in first.arrays
            },
        )

    def save(self, path: Path) -> None:
        """Write the tasks as one safetensors file, whole or not at all."""
        metadata = {
            "family": self.family,
            "arguments": json.dumps(dict(self.arguments)),
            "split": self.split,
        }
        write_tensors(path, dict(self.arrays), metadata)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        arrays, metadata = read_tensors(path, required_metadata=("family", "arguments", "split"))
        return cls(metadata["family"], json.loads(metadata["arguments"]), metadata["split"], arrays)
