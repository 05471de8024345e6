"""Finite spaces: their elements numbered from zero, so that agents can keep tables of them."""

import math

import torch
from gymnasium import Space, spaces
from torch import Tensor


class FiniteSpace:
    """The elements of a Discrete or MultiDiscrete space, numbered from zero in row-major order."""

    def __init__(self, space: Space, device: torch.device | str) -> None:
        """Number a space's elements.

        Raises:
            ValueError: if the space is of another kind; see `is_finite`.
        """
        if isinstance(space, spaces.Discrete):
            counts, first = [int(space.n)], [int(space.start)]
        elif isinstance(space, spaces.MultiDiscrete):
            counts = [int(count) for count in space.nvec.flatten()]
            first = [int(start) for start in space.start.flatten()]
        else:
            raise ValueError(f"{space} is neither Discrete nor MultiDiscrete")
        self.size = math.prod(counts)
        """How many elements there are."""
        strides = [math.prod(counts[place + 1 :]) for place in range(len(counts))]
        self._shape = space.shape or ()
        self._counts = torch.tensor(counts, device=device)
        self._first = torch.tensor(first, device=device)
        self._strides = torch.tensor(strides, device=device)

    def number(self, elements: Tensor) -> Tensor:
        """[envs, *shape] -> [envs] int64."""
        factors = elements.reshape(len(elements), -1) - self._first
        return (factors * self._strides).sum(1)

    def element(self, numbers: Tensor) -> Tensor:
        """[envs] -> [envs, *shape] int64: what `number` numbers so."""
        factors = numbers.unsqueeze(1) // self._strides % self._counts + self._first
        return factors.reshape(len(numbers), *self._shape)


def is_finite(space: Space) -> bool:
    """Whether `FiniteSpace` numbers this space's elements."""
    return isinstance(space, spaces.Discrete | spaces.MultiDiscrete)
