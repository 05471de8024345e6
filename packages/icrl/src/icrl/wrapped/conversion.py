"""Conversion at the simulator's boundary: values of a space into rows of arrays, and back."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from torch import Tensor

from icrl.errors import SpaceError
from icrl.spaces import from_arrays, leaf_shape, leaf_spaces, to_arrays
from icrl.trees import Tree, leaves, map_tree

Write = Callable[[int, Any], None]
Read = Callable[[int], Any]


class Misfit(Exception):
    """A value does not fit its space; the message says how, `row` in which of the checked rows."""

    def __init__(self, message: str, row: int = 0) -> None:
        super().__init__(message)
        self.row = row


def row_writer(space: Space, buffer: Tree, path: str = "") -> Write:
    """A function `(row, value)` that writes a value of `space` into a row of a tree of arrays.

    Raises (the function):
        Misfit: if the value has another structure, shape or kind than the space.
    """
    if isinstance(space, spaces.Dict):
        return _dict_writer(space, buffer, path)
    if isinstance(space, spaces.Tuple):
        return _tuple_writer(space, buffer, path)
    if isinstance(space, spaces.Text):
        return _text_writer(space, buffer, path)
    shape, dtype = leaf_shape(space), buffer.dtype

    def write(row: int, value: Any) -> None:
        array = value if type(value) is np.ndarray else np.asarray(value)
        if array.shape != shape:
            raise Misfit(
                f"observation{path} has the shape {array.shape}, its space {space} has {shape}"
            )
        if array.dtype != dtype and not np.can_cast(array.dtype, dtype, "same_kind"):
            converted = array.astype(dtype) if array.dtype.kind in "biuf" else None
            if converted is None or not np.array_equal(converted, array):
                raise Misfit(
                    f"observation{path} is {value!r} ({array.dtype}), its space is {space}"
                )
        buffer[row] = array

    return write


def _dict_writer(space: spaces.Dict, buffer: Tree, path: str) -> Write:
    writers = {
        name: row_writer(s, buffer[name], f"{path}[{name!r}]") for name, s in space.spaces.items()
    }

    def write(row: int, value: Any) -> None:
        if not hasattr(value, "keys") or writers.keys() - value.keys():
            raise Misfit(
                f"observation{path} is {value!r}, its space has the keys {sorted(writers)}"
            )
        for name, write_child in writers.items():
            write_child(row, value[name])

    return write


def _tuple_writer(space: spaces.Tuple, buffer: Tree, path: str) -> Write:
    writers = [
        row_writer(s, b, f"{path}[{i}]")
        for i, (s, b) in enumerate(zip(space.spaces, buffer, strict=True))
    ]

    def write(row: int, value: Any) -> None:
        if not isinstance(value, tuple | list) or len(value) != len(writers):
            raise Misfit(f"observation{path} is {value!r}, its space is a tuple of {len(writers)}")
        for write_child, child in zip(writers, value, strict=True):
            write_child(row, child)

    return write


def _text_writer(space: spaces.Text, buffer: np.ndarray, path: str) -> Write:
    written: dict[int, str] = {}  # a mission seldom changes

    def write(row: int, value: Any) -> None:
        if written.get(row) == value:
            return
        if not isinstance(value, str) or value not in space:
            raise Misfit(f"observation{path} is {value!r}, which is not in {space}")
        buffer[row] = to_arrays(space, value)
        written[row] = value

    return write


def row_reader(space: Space, buffer: Tree) -> Read:
    """A function `(row)` that gives a row of a tree of arrays as a value of `space`, fresh."""
    if isinstance(space, spaces.Discrete):
        return lambda row: space.dtype.type(buffer[row])
    if isinstance(space, spaces.Box):
        return lambda row: buffer[row].astype(space.dtype)
    return lambda row: from_arrays(space, map_tree(lambda array: array[row], buffer))


class RangeCheck:
    """Checks rows of a tree of arrays against what its space says of their values.

    Codes must lie in their range, since tables are indexed with them, and nothing may be NaN. A
    float that leaves the bounds of its Box is warned of once and passed on as it is: many
    environments declare bounds that are only nearly true.
    """

    def __init__(self, space: Space, buffer: Tree, name: str) -> None:
        self._name = name
        self._warned = False
        self._codes: list[tuple[str, Space, np.ndarray, Any, Any]] = []
        self._floats: list[tuple[str, Space, np.ndarray, Any, Any]] = []
        for (path, leaf), (_, array) in zip(
            leaves(leaf_spaces(space)), leaves(buffer), strict=True
        ):
            bounds = _bounds(leaf)
            if array.dtype.kind == "f":
                self._floats.append((path, leaf, array, *(bounds or (None, None))))
            elif bounds is not None:
                self._codes.append((path, leaf, array, *bounds))

    def __call__(self, rows: slice) -> None:
        """Check these rows.

        Raises:
            Misfit: naming the first value that does not fit.
        """
        for path, space, array, low, high in self._codes:
            part = array[rows]
            if np.count_nonzero(part < low) or np.count_nonzero(part > high):
                self._refuse(path, space, part, (part < low) | (part > high))
        for path, space, array, low, high in self._floats:
            part = array[rows]
            flat = part.reshape(-1)
            squares = flat.dot(flat)
            if squares != squares:  # the cheapest way to see that something is NaN
                self._refuse(path, space, part, np.isnan(part))
            if low is not None and (np.count_nonzero(part < low) or np.count_nonzero(part > high)):
                self._warn(path, space, part[(part < low) | (part > high)])

    def _refuse(self, path: str, space: Space, part: np.ndarray, wrong: np.ndarray) -> None:
        where, row = f"[{path}]" if path else "", int(np.argwhere(wrong)[0][0])
        raise Misfit(
            f"observation{where} has the value {part[wrong][0]}, which is not in {space}", row
        )

    def _warn(self, path: str, space: Space, wrong: np.ndarray) -> None:
        if not self._warned:
            self._warned = True
            where = f"[{path}]" if path else ""
            warnings.warn(
                f"{self._name}: observation{where} has the value {wrong[0]}, outside of its space "
                f"{space}. It is passed on as it is; this is said once.",
                stacklevel=2,
            )


Receive = Callable[[Tree], None]


def action_receiver(space: Space, buffer: Tree) -> Receive:
    """A function that writes actions, [envs, *action] torch or NumPy, into `buffer`.

    Continuous actions are clipped to the bounds of their Box (see `icrl.spaces.clipper`).

    Raises (the function):
        SpaceError: for actions of another shape, or a code out of its range.
    """
    if isinstance(buffer, dict | tuple):
        tree = leaf_spaces(space)
        return lambda actions: map_tree(
            lambda leaf, values, array: _receive(leaf, _bounds(leaf), values, array),
            tree,
            actions,
            buffer,
        )
    bounds = _bounds(space)
    return lambda actions: _receive(space, bounds, actions, buffer)


def _receive(space: Space, bounds: Any, values: Any, array: np.ndarray) -> None:
    given = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if given.shape != array.shape:
        raise SpaceError(
            f"actions have the shape {given.shape}, expected {array.shape}: {space} in each row."
        )
    if isinstance(space, spaces.Box):
        np.clip(given, space.low, space.high, out=array, casting="unsafe")
        return
    if bounds is not None:
        wrong = (given < bounds[0]) | (given > bounds[1])
        if np.count_nonzero(wrong):
            row = int(np.argwhere(wrong)[0][0])
            raise SpaceError(f"the action {given[row]} of row {row} is not in {space}.")
    array[...] = given


def _bounds(space: Space) -> tuple[Any, Any] | None:
    """The lowest and highest value of a leaf space; None where every value of its dtype fits."""
    if isinstance(space, spaces.Discrete):
        return int(space.start), int(space.start + space.n - 1)
    if isinstance(space, spaces.MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    if isinstance(space, spaces.MultiBinary):
        return 0, 1
    if isinstance(space, spaces.Box):
        if space.dtype.kind in "iu":
            limits = np.iinfo(space.dtype)
            if (space.low == limits.min).all() and (space.high == limits.max).all():
                return None
        elif not (np.isfinite(space.low).any() or np.isfinite(space.high).any()):
            return None
        return space.low, space.high
    return None
