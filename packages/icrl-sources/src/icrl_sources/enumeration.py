"""Enumeration: numbers the values of a finite space, so that a table has a place for each."""

import math

import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.errors import SpaceError
from icrl.spaces import leaf_spaces
from icrl.trees import Tree, leaves, leaves_like


class Enumeration:
    """The values of a finite space, numbered from 0.

    Served are Discrete, MultiDiscrete and MultiBinary, and Dict and Tuple of these.
    """

    def __init__(self, space: Space) -> None:
        """Read the sizes of the space's components.

        Raises:
            SpaceError: if it has a part that is not finite.
        """
        self._tree = leaf_spaces(space)
        self._sizes = [_sizes(space, leaf) for _, leaf in leaves(self._tree)]
        self.size = math.prod(size for sizes, _ in self._sizes for size in sizes)
        """How many values there are."""
        self._offset = self._number_of([[-start for start in starts] for _, starts in self._sizes])

    def numbers(self, values: Tree) -> Tensor:
        """The number of each value, [rows] int64, of a tree of values [rows, *shape]."""
        number: Tensor | None = None
        for (sizes, _), leaf in zip(self._sizes, leaves_like(self._tree, values), strict=True):
            components = leaf.reshape(len(leaf), -1)
            for i, size in enumerate(sizes):
                component = components[:, i]
                number = component if number is None else torch.add(component, number, alpha=size)
        assert number is not None
        return number + self._offset if self._offset else number

    def values(self, numbers: Tensor) -> Tree:
        """The tree of values [rows, *shape] that have these numbers [rows]."""
        columns: list[Tensor] = []
        place = self.size
        for sizes, starts in reversed(self._sizes):
            components = []
            for size, start in zip(reversed(sizes), reversed(starts), strict=True):
                place //= size
                if size == 1:
                    component = torch.zeros_like(numbers)
                elif place == 1:  # nothing above it counts
                    component = numbers
                else:
                    component = numbers.remainder(size)
                    numbers = numbers.div(size, rounding_mode="floor")
                components.append(component + start if start else component)
            columns.append(torch.stack(components[::-1], -1) if len(sizes) > 1 else components[0])
        return _shaped(self._tree, columns)

    def _number_of(self, components: list[list[int]]) -> int:
        number = 0
        for (sizes, _), of_leaf in zip(self._sizes, components, strict=True):
            for size, component in zip(sizes, of_leaf, strict=True):
                number = number * size + component
        return number


def _sizes(space: Space, leaf: Space) -> tuple[list[int], list[int]]:
    """How many values each component of a leaf has, and the least of them."""
    if isinstance(leaf, spaces.Discrete):
        return [int(leaf.n)], [int(leaf.start)]
    if isinstance(leaf, spaces.MultiDiscrete):
        return leaf.nvec.reshape(-1).tolist(), leaf.start.reshape(-1).tolist()
    if isinstance(leaf, spaces.MultiBinary):
        count = math.prod(leaf.shape)
        return [2] * count, [0] * count
    raise SpaceError(
        f"tabular Q-learning needs finitely many values, and {space} has the part {leaf}. "
        "Collect with --source sb3 instead."
    )


def _shaped(tree: Tree, columns: list[Tensor]) -> Tree:
    """Columns [rows, components], the last leaf first, as a tree of leaves [rows, *shape]."""
    if isinstance(tree, dict):
        return {name: _shaped(child, columns) for name, child in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_shaped(child, columns) for child in tree)
    return columns.pop().reshape(-1, *(tree.shape or ()))
