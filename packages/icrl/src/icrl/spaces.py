"""Spaces as tensors: how each Gymnasium space is laid out in torch, and its JSON form.

| space                | tensor of one value                                              |
|----------------------|------------------------------------------------------------------|
| Discrete             | int64, scalar, the value itself (`start` included)               |
| MultiDiscrete        | int64, the space's shape                                         |
| MultiBinary          | int64, the space's shape                                         |
| Box                  | the space's dtype (float64 becomes float32), the space's shape   |
| Text                 | int64 [max_length]: 0 pads, i + 1 is the i-th character, sorted  |
| Dict, Tuple          | dict (in the space's order), tuple                               |
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.errors import SpaceError
from icrl.trees import Tree, map_tree

LEAF_SPACES = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Box, spaces.Text)


def leaf_spaces(space: Space) -> Tree:
    """The tree of leaf spaces of a space.

    Raises:
        SpaceError: for a space without a tensor form of fixed size (Sequence, Graph, OneOf, ...).
    """
    if isinstance(space, spaces.Dict):
        return {name: leaf_spaces(child) for name, child in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(leaf_spaces(child) for child in space.spaces)
    if isinstance(space, LEAF_SPACES):
        return space
    raise SpaceError(
        f"the space {space} has no tensor form of fixed size. Served: Discrete, MultiDiscrete, "
        "MultiBinary, Box, Text, and Dict and Tuple of these. Wrap the environment so that it has "
        "one."
    )


def leaf_dtype(space: Space) -> torch.dtype:
    """The dtype of a leaf space's tensor."""
    if isinstance(space, spaces.Box):
        if space.dtype == np.float64:
            return torch.float32
        return torch.from_numpy(np.zeros(0, space.dtype)).dtype
    return torch.int64


def array_dtype(space: Space) -> np.dtype:
    """The same as NumPy has it."""
    return torch.zeros(0, dtype=leaf_dtype(space)).numpy().dtype


def leaf_shape(space: Space) -> tuple[int, ...]:
    """The shape of a leaf space's tensor for one value."""
    if isinstance(space, spaces.Text):
        return (space.max_length,)
    return tuple(space.shape or ())


def zeros(space: Space, rows: tuple[int, ...], device: torch.device | str = "cpu") -> Tree:
    """A tree of zero tensors with leading axes `rows`: the action before a trial's first."""
    return map_tree(
        lambda s: torch.zeros((*rows, *leaf_shape(s)), dtype=leaf_dtype(s), device=device),
        leaf_spaces(space),
    )


@lru_cache(maxsize=64)
def _character_codes(characters: str) -> Mapping[str, int]:
    return {character: i + 1 for i, character in enumerate(characters)}


def to_arrays(space: Space, value: Any) -> Tree:
    """One value of a space as a tree of NumPy arrays in the layout of the table above."""
    if isinstance(space, spaces.Dict):
        return {name: to_arrays(child, value[name]) for name, child in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(to_arrays(child, v) for child, v in zip(space.spaces, value, strict=True))
    if isinstance(space, spaces.Text):
        codes = _character_codes(space.characters)
        array = np.zeros(space.max_length, np.int64)
        array[: len(value)] = [codes[character] for character in value]
        return array
    return np.asarray(value, array_dtype(space)).reshape(leaf_shape(space))


def from_arrays(space: Space, tree: Tree) -> Any:
    """The value that a tree of arrays or CPU tensors stands for: the inverse of `to_arrays`."""
    if isinstance(space, spaces.Dict):
        return {name: from_arrays(child, tree[name]) for name, child in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(from_arrays(child, t) for child, t in zip(space.spaces, tree, strict=True))
    array = np.asarray(tree)
    if isinstance(space, spaces.Text):
        return "".join(space.characters[int(code) - 1] for code in array if code > 0)
    if isinstance(space, spaces.Discrete):
        return space.dtype.type(array)
    return array.astype(space.dtype).reshape(space.shape)


def stack(space: Space, values: list[Any], device: torch.device | str = "cpu") -> Tree:
    """Values of a space as one tree of tensors with a leading axis."""
    trees = [to_arrays(space, value) for value in values]
    return map_tree(lambda *arrays: torch.from_numpy(np.stack(arrays)).to(device), *trees)


def clipper(space: Space, device: torch.device | str = "cpu") -> Callable[[Tree], Tree]:
    """What turns actions on a device into those that an environment receives: in a Box, within its
    bounds.

    The bounds are brought to the device here, once, so that no call waits for a copy.
    """

    def leaf_clipper(leaf: Space) -> Callable[[Tensor], Tensor]:
        if not isinstance(leaf, spaces.Box):
            return lambda tensor: tensor
        low, high = (
            torch.as_tensor(bound, dtype=leaf_dtype(leaf), device=device)
            for bound in (leaf.low, leaf.high)
        )
        return lambda tensor: torch.clamp(tensor, low, high)

    clippers = map_tree(leaf_clipper, leaf_spaces(space))
    return lambda tree: map_tree(lambda clip, tensor: clip(tensor), clippers, tree)


def unstack(space: Space, tree: Tree) -> list[Any]:
    """The rows of a tree as values of a space: the inverse of `stack`."""
    arrays = map_tree(lambda t: t.detach().cpu().numpy() if isinstance(t, Tensor) else t, tree)
    first = arrays
    while isinstance(first, dict | tuple):
        first = next(iter(first.values())) if isinstance(first, dict) else first[0]
    return [
        from_arrays(space, map_tree(lambda a, row=row: a[row], arrays)) for row in range(len(first))
    ]


def space_to_json(space: Space) -> dict[str, Any]:
    """A space as plain JSON data."""
    if isinstance(space, spaces.Discrete):
        return {
            "type": "Discrete",
            "n": int(space.n),
            "start": int(space.start),
            "dtype": str(space.dtype),
        }
    if isinstance(space, spaces.MultiDiscrete):
        return {
            "type": "MultiDiscrete",
            "nvec": space.nvec.tolist(),
            "start": space.start.tolist(),
            "dtype": str(space.dtype),
        }
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": space.n if isinstance(space.n, int) else list(space.n)}
    if isinstance(space, spaces.Box):
        return {
            "type": "Box",
            "shape": list(space.shape),
            "dtype": str(space.dtype),
            "low": _bound_to_json(space.low),
            "high": _bound_to_json(space.high),
        }
    if isinstance(space, spaces.Text):
        return {
            "type": "Text",
            "min_length": space.min_length,
            "max_length": space.max_length,
            "characters": space.characters,
        }
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "spaces": [[k, space_to_json(v)] for k, v in space.spaces.items()]}
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "spaces": [space_to_json(child) for child in space.spaces]}
    leaf_spaces(space)
    raise AssertionError("leaf_spaces refuses every other space")


def space_from_json(data: Mapping[str, Any]) -> Space:
    """The space that `space_to_json` wrote."""
    match data["type"]:
        case "Discrete":
            return spaces.Discrete(data["n"], start=data["start"], dtype=_integer_dtype(data))
        case "MultiDiscrete":
            nvec, start = np.array(data["nvec"]), np.array(data["start"])
            return spaces.MultiDiscrete(nvec, _integer_dtype(data), start=start)
        case "MultiBinary":
            return spaces.MultiBinary(data["n"])
        case "Box":
            shape, dtype = tuple(data["shape"]), np.dtype(data["dtype"])
            low, high = (_bound_from_json(data[side], shape, dtype) for side in ("low", "high"))
            return spaces.Box(low, high, shape, dtype.type)
        case "Text":
            return spaces.Text(
                data["max_length"], min_length=data["min_length"], charset=data["characters"]
            )
        case "Dict":
            return spaces.Dict([(name, space_from_json(child)) for name, child in data["spaces"]])
        case "Tuple":
            return spaces.Tuple([space_from_json(child) for child in data["spaces"]])
    raise SpaceError(f"{data['type']!r} is not a space that icrl writes.")


def _integer_dtype(data: Mapping[str, Any]) -> type[np.integer[Any]]:
    """Of a Discrete or a MultiDiscrete; files that do not name it hold Gymnasium's default."""
    return np.dtype(data.get("dtype", "int64")).type


def _bound_to_json(bound: np.ndarray) -> Any:
    """One number where all agree, else nested lists; infinities as strings, since JSON has none."""

    def as_json(value: Any) -> Any:
        if isinstance(value, list):
            return [as_json(v) for v in value]
        return value if np.isfinite(value) else str(value)

    same = bound.size > 0 and bool(np.all(bound == bound.flat[0]))
    return as_json(bound.flat[0].item() if same else bound.tolist())


def _bound_from_json(data: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.broadcast_to(np.array(data, dtype=object).astype(dtype), shape).astype(dtype)
