"""Buffers: what goes to the simulators of all rows and what comes back, as arrays over one block of
memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np
from gymnasium import Space

from icrl.spaces import array_dtype, leaf_shape, leaf_spaces
from icrl.trees import Tree, map_tree

ALIGNMENT = 64


@dataclass(frozen=True)
class Layout:
    """What the arrays of `Buffers` are: enough for another process to lay them over the same
    memory.
    """

    observation_space: Space
    action_space: Space
    tasks: Mapping[str, tuple[tuple[int, ...], str]]
    """Shape and dtype of one task's arrays."""
    num_envs: int

    def arrays(self) -> dict[str, Tree]:
        """The tree of (shape, dtype) of each field of `Buffers`."""
        rows = self.num_envs

        def of_space(space: Space) -> Tree:
            return map_tree(
                lambda s: _Array((rows, *leaf_shape(s)), array_dtype(s)), leaf_spaces(space)
            )

        return {
            "action": of_space(self.action_space),
            "outcome": of_space(self.observation_space),
            "opening": of_space(self.observation_space),
            "reward": _Array((rows,), np.dtype(np.float32)),
            "terminated": _Array((rows,), np.dtype(bool)),
            "truncated": _Array((rows,), np.dtype(bool)),
            "success": _Array((rows,), np.dtype(bool)),
            "seed": _Array((rows,), np.dtype(np.int64)),
            "task": {
                name: _Array((rows, *shape), np.dtype(dtype))
                for name, (shape, dtype) in self.tasks.items()
            },
        }

    def num_bytes(self) -> int:
        """The size of the block of memory."""
        return sum(array.room() for array in _leaves(self.arrays()))


@dataclass(frozen=True)
class _Array:
    shape: tuple[int, ...]
    dtype: np.dtype

    def room(self) -> int:
        return -(-max(prod(self.shape) * self.dtype.itemsize, 1) // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Buffers:
    """Trees of arrays, [envs, ...] each."""

    action: Tree
    """What each environment is to receive."""
    outcome: Tree
    """What its action led to."""
    opening: Tree
    """The first observation of its newest episode."""
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    success: np.ndarray
    seed: np.ndarray
    """What to seed the noise with at the next opening; -1: nothing."""
    task: dict[str, np.ndarray]
    """The task to play from the next opening on."""

    @classmethod
    def over(cls, layout: Layout, memory: Any) -> Self:
        """The arrays over a block of `layout.num_bytes()` bytes."""
        offset = 0

        def lay(array: _Array) -> np.ndarray:
            nonlocal offset
            start, offset = offset, offset + array.room()
            flat = np.frombuffer(memory, array.dtype, prod(array.shape), start)
            return flat.reshape(array.shape)

        return cls(**{name: map_tree(lay, tree) for name, tree in layout.arrays().items()})


def _leaves(tree: Tree) -> Iterator[_Array]:
    if isinstance(tree, dict):
        for child in tree.values():
            yield from _leaves(child)
    elif isinstance(tree, tuple):
        for child in tree:
            yield from _leaves(child)
    else:
        yield tree
