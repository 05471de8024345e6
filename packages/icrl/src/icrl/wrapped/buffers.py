"""Buffers: what goes to the simulators of all rows and what comes back, as arrays over one block of
memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Self

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from icrl.spaces import array_dtype, leaf_shape, leaf_spaces
from icrl.trees import Tree, leaves, map_tree

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

    @cached_property
    def spans(self) -> dict[str, Tree]:
        """The tree of `Span` of each field of `Buffers`.

        What comes back at a step lies first, so that it can be moved in one piece: all up to
        `outcome`, and `opening` too where an episode ended.
        """
        rows, end = self.num_envs, 0

        def lay(shape: tuple[int, ...], dtype: Any) -> Span:
            nonlocal end
            span = Span(end, (rows, *shape), np.dtype(dtype))
            end += -(-max(span.num_bytes, 1) // ALIGNMENT) * ALIGNMENT
            return span

        def of_space(space: Space) -> Tree:
            return map_tree(lambda s: lay(leaf_shape(s), array_dtype(s)), leaf_spaces(space))

        return {
            "reward": lay((), np.float32),
            "terminated": lay((), bool),
            "truncated": lay((), bool),
            "success": lay((), bool),
            "outcome": of_space(self.observation_space),
            "opening": of_space(self.observation_space),
            "action": of_space(self.action_space),
            "seed": lay((), np.int64),
            "task": {name: lay(shape, dtype) for name, (shape, dtype) in self.tasks.items()},
        }

    @cached_property
    def ends(self) -> dict[str, int]:
        """The byte after the last of each field."""
        return {
            name: max((span.start + span.num_bytes for _, span in leaves(tree)), default=0)
            for name, tree in self.spans.items()
        }

    def num_bytes(self) -> int:
        """The size of the block of memory."""
        return max(self.ends.values())

    def tensors(self, block: Tensor, *names: str) -> dict[str, Tree]:
        """Fields over a block [bytes] uint8, on its device."""
        return {name: map_tree(lambda span: span.tensor(block), self.spans[name]) for name in names}


@dataclass(frozen=True)
class Span:
    """Where an array lies in the block of memory, and what it is."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def num_bytes(self) -> int:
        """Without what aligns the next one."""
        return prod(self.shape) * self.dtype.itemsize

    def array(self, memory: Any) -> np.ndarray:
        """The array over the memory itself."""
        return np.frombuffer(memory, self.dtype, prod(self.shape), self.start).reshape(self.shape)

    def tensor(self, block: Tensor) -> Tensor:
        """The tensor over a block [bytes] uint8."""
        dtype = torch.from_numpy(np.empty(0, self.dtype)).dtype
        return block[self.start : self.start + self.num_bytes].view(dtype).view(self.shape)


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
        return cls(
            **{
                name: map_tree(lambda span: span.array(memory), tree)
                for name, tree in layout.spans.items()
            }
        )
