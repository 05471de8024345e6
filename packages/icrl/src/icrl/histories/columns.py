"""Columns: how the trees of a learning history are laid out as flat, compact arrays on disk.

| column            | axes on disk             | meaning                                          |
|-------------------|--------------------------|--------------------------------------------------|
| observation/PATH  | [streams, steps, *shape] | what the learner acted on                        |
| action/PATH       | [streams, steps, *shape] | the action that followed                         |
| reward            | [streams, steps]         | what it earned                                   |
| terminated        | [streams, steps]         | whether it ended the episode by termination      |
| truncated         | [streams, steps]         | whether it ended the episode by truncation       |
| optional/NAME     | [streams, steps, *shape] | what a source adds: an oracle's action, ...      |
| outcome/PATH      | [ended, *shape]          | each ended episode's last observation, by stream |
| task/NAME         | [tasks, *shape]          | what defines each task                           |

A bare leaf has no `/PATH`. Integers of Discrete, MultiDiscrete, MultiBinary and Text lie on disk in
the smallest type that holds the space's values, unsigned where none is negative.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.errors import SpaceError
from icrl.spaces import leaf_dtype, leaf_shape, leaf_spaces
from icrl.trees import Tree, leaves

UNSIGNED = (torch.uint8, torch.uint16, torch.uint32)
SIGNED = (torch.int8, torch.int16, torch.int32)
WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

SUCCESS = "success"
"""The optional column in which sources keep `info["success"]`, where the family reports it."""


@dataclass(frozen=True)
class Column:
    """One flat array of a shard: its name, a row's shape, its dtype on disk and when read."""

    name: str
    shape: tuple[int, ...]
    stored: torch.dtype
    dtype: torch.dtype
    bounds: tuple[int, int] | None = None
    """The smallest and the largest value that the space allows, where the space is finite."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one row on disk."""
        return math.prod(self.shape) * self.stored.itemsize

    @property
    def alignment(self) -> int:
        """The largest of 8, 4, 2 and 1 that divides a row: columns in falling order of it are all
        aligned.
        """
        return math.gcd(self.row_bytes or 8, 8)

    def to_json(self) -> dict[str, Any]:
        """The column as plain JSON data."""
        return {"shape": list(self.shape), "dtype": str(self.stored).removeprefix("torch.")}


@dataclass(frozen=True)
class Layout:
    """The columns of a store's shards."""

    observation: Tree
    """A tree of columns in the form of the observation space."""
    action: Tree
    """A tree of columns in the form of the action space."""
    outcome: Tree
    """The columns of the last observations of ended episodes."""
    optional: Mapping[str, Column]
    """What the source adds, by name."""

    REWARD: ClassVar[Column] = Column("reward", (), torch.float32, torch.float32)
    TERMINATED: ClassVar[Column] = Column("terminated", (), torch.bool, torch.bool)
    TRUNCATED: ClassVar[Column] = Column("truncated", (), torch.bool, torch.bool)

    @classmethod
    def of(
        cls,
        observation_space: Space,
        action_space: Space,
        optional: Mapping[str, Column] | None = None,
    ) -> "Layout":
        """The layout for an environment's spaces.

        Raises:
            SpaceError: for a space that has no fixed-size tensor form.
        """
        return cls(
            observation=_space_columns("observation", observation_space),
            action=_space_columns("action", action_space),
            outcome=_space_columns("outcome", observation_space),
            optional=dict(optional or {}),
        )

    def in_order_of_recording(self) -> list[Column]:
        """All columns in the order in which `HistoryRecorder.step` takes them."""
        return [
            *(column for _, column in leaves(self.observation)),
            *(column for _, column in leaves(self.action)),
            self.REWARD,
            self.TERMINATED,
            self.TRUNCATED,
            *self.per_ended_episode(),
            *self.optional.values(),
        ]

    def per_step(self) -> list[Column]:
        """The columns with a row for each step, in the order of their `alignment`, which is the
        file's.
        """
        ended = {column.name for column in self.per_ended_episode()}
        columns = [column for column in self.in_order_of_recording() if column.name not in ended]
        return sorted(columns, key=lambda column: (-column.alignment, column.name))

    def per_ended_episode(self) -> list[Column]:
        """The columns with a row for each ended episode."""
        return [column for _, column in leaves(self.outcome)]

    def named(self, name: str) -> Column:
        """The per-step column called so, without `optional/`."""
        built_in = {
            "reward": self.REWARD,
            "terminated": self.TERMINATED,
            "truncated": self.TRUNCATED,
        }
        return built_in[name] if name in built_in else self.optional[name]


def optional_column(name: str, value: Tensor) -> Column:
    """The column for an optional value [streams, ...], kept in the dtype that it came in.

    Raises:
        TypeError: if the value is a tree.
        ValueError: if the name is taken or has a slash.
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"the column {name!r} must be one tensor [streams, ...], got {type(value).__name__}."
        )
    if "/" in name or name in (
        "reward",
        "terminated",
        "truncated",
        "observation",
        "action",
        "outcome",
        "task",
    ):
        raise ValueError(
            f"a column cannot be called {name!r}; choose a name that the store does not use itself."
        )
    return Column(f"optional/{name}", tuple(value.shape[1:]), value.dtype, value.dtype)


def optional_from_json(name: str, data: Mapping[str, Any]) -> Column:
    """The optional column that `Column.to_json` wrote."""
    dtype = getattr(torch, data["dtype"])
    return Column(f"optional/{name}", tuple(data["shape"]), dtype, dtype)


def as_words(rows: Tensor, column: Column) -> Tensor | None:
    """Rows [..., *shape] as machine words [...], which are gathered and transposed several times
    faster.

    None where a row is not of 1, 2, 4 or 8 bytes or does not lie on such a boundary.
    """
    word = WORDS.get(column.row_bytes)
    if word is None or (rows.storage_offset() * rows.element_size()) % column.row_bytes:
        return None
    leading = rows.shape[: rows.ndim - len(column.shape)]
    return rows.reshape(*leading, -1).view(word).squeeze(-1)


def from_words(words: Tensor, column: Column) -> Tensor:
    """The rows [..., *shape] that `as_words` made into words [...]."""
    return words.unsqueeze(-1).view(column.stored).reshape(*words.shape, *column.shape)


def _space_columns(name: str, space: Space) -> Tree:
    tree = _columns(name, leaf_spaces(space))
    names = [column.name for _, column in leaves(tree)]
    if len(set(names)) < len(names):
        raise SpaceError(
            f"the {name} space has two parts that are both called {max(names, key=names.count)!r}. "
            "Rename the keys of its Dict that contain a slash."
        )
    return tree


def _columns(name: str, tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {key: _columns(f"{name}/{key}", child) for key, child in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_columns(f"{name}/{i}", child) for i, child in enumerate(tree))
    bounds = _bounds(tree)
    stored = leaf_dtype(tree) if bounds is None else _smallest_type(*bounds)
    return Column(name, leaf_shape(tree), stored, leaf_dtype(tree), bounds)


def _bounds(space: Space) -> tuple[int, int] | None:
    """The smallest and the largest value of a finite leaf space."""
    if isinstance(space, spaces.Discrete):
        return int(space.start), int(space.start) + int(space.n) - 1
    if isinstance(space, spaces.MultiDiscrete):
        largest = space.start.astype(np.int64) + space.nvec.astype(np.int64) - 1
        return int(space.start.min()), int(largest.max())
    if isinstance(space, spaces.MultiBinary):
        return 0, 1
    if isinstance(space, spaces.Text):
        return 0, len(space.character_list)
    return None


def _smallest_type(low: int, high: int) -> torch.dtype:
    for dtype in UNSIGNED if low >= 0 else SIGNED:
        limits = torch.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return dtype
    return torch.int64
