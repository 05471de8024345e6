"""Trees: what a structured space looks like as tensors (a tensor, or dicts and tuples of trees)."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor

Tree: TypeAlias = Any
"""A tensor, a dict of trees by name, or a tuple of trees."""


def map_tree(function: Callable[..., Any], tree: Tree, *others: Tree) -> Tree:
    """Apply `function` to the corresponding leaves of trees of one shape."""
    if isinstance(tree, dict):
        return {k: map_tree(function, v, *(o[k] for o in others)) for k, v in tree.items()}
    if isinstance(tree, tuple):
        return tuple(map_tree(function, *leaves) for leaves in zip(tree, *others, strict=True))
    return function(tree, *others)


def leaves(tree: Tree, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf with its path (`""` for a bare leaf, `"image"`, `"0/direction"`), depth first."""
    if isinstance(tree, dict):
        children: Any = tree.items()
    elif isinstance(tree, tuple):
        children = enumerate(tree)
    else:
        yield path, tree
        return
    for key, child in children:
        yield from leaves(child, f"{path}/{key}" if path else str(key))


def leaves_like(form: Tree, tree: Tree) -> Iterator[Any]:
    """The leaves of `tree` in the order of `form`, whatever order its own dicts have."""
    if isinstance(form, dict):
        for key, child in form.items():
            yield from leaves_like(child, tree[key])
    elif isinstance(form, tuple):
        for child, part in zip(form, tree, strict=True):
            yield from leaves_like(child, part)
    else:
        yield tree


def where(mask: Tensor, tree: Tree, other: Tree) -> Tree:
    """Rows of `tree` where `mask` ([rows] bool) holds, else of `other`; nothing is read back."""

    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(mask.reshape(mask.shape + (1,) * (a.ndim - mask.ndim)), a, b)

    return map_tree(choose, tree, other)
