"""Rehearsal: a native family's functions are tried once, so that mistakes show at once."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from icrl.errors import SpaceError
from icrl.spaces import leaf_dtype, leaf_shape, leaf_spaces, zeros
from icrl.tasks import Tasks
from icrl.trees import Tree, leaves

if TYPE_CHECKING:
    from gymnasium import Space

    from icrl.native.family import NativeFamily


def rehearse(family: "NativeFamily", tasks: Tasks) -> None:
    """Open an episode of the tasks, act once, and compare what comes back with the contract.

    Raises:
        SpaceError: naming the function, what it returned and what was expected.
    """
    if not family.terminates and family.max_episode_steps is None:
        raise SpaceError(f"{family.id} neither terminates nor has a horizon: no episode would end.")
    rows, device = len(tasks), next(iter(tasks.arrays.values())).device
    generator = torch.Generator("cpu" if device.type == "meta" else device).manual_seed(0)
    state = family.initial(tasks.arrays, generator)
    action = zeros(family.action_space, (rows,), device)
    observed = family.observation(state, tasks.arrays)
    _compare_space(family, "observation", observed, family.observation_space, rows)
    done = family.transition(state, action, tasks.arrays, generator)
    expected_state = [(path, _layout(leaf)) for path, leaf in leaves(state)]
    if [(path, _layout(leaf)) for path, leaf in leaves(done.state)] != expected_state:
        raise SpaceError(f"{family.id}: transition() must return a state laid out as initial()'s.")
    _compare(family, "transition().reward", done.reward, (torch.float32, (rows,)))
    for name, value, attribute in (
        ("terminated", done.terminated, "terminates"),
        ("success", done.success, "reports_success"),
    ):
        stated = getattr(family, attribute)
        if (value is not None) != stated:
            raise SpaceError(
                f"{family.id}: transition().{name} is {'there' if value is not None else 'None'}, "
                f"but the family says {attribute}={stated}."
            )
        if value is not None:
            _compare(family, f"transition().{name}", value, (torch.bool, (rows,)))


def _layout(tensor: Tensor) -> tuple[torch.dtype, tuple[int, ...]]:
    return tensor.dtype, tuple(tensor.shape)


def _compare_space(
    family: "NativeFamily", name: str, value: Tree, space: "Space", rows: int
) -> None:
    found, expected = dict(leaves(value)), dict(leaves(leaf_spaces(space)))
    if found.keys() != expected.keys():
        raise SpaceError(
            f"{family.id}: {name}() returned {sorted(found)}, "
            f"its space {space} has {sorted(expected)}."
        )
    for path, leaf in expected.items():
        layout = (leaf_dtype(leaf), (rows, *leaf_shape(leaf)))
        _compare(family, f"{name}(){path and ' at '}{path}", found[path], layout)


def _compare(
    family: "NativeFamily", name: str, value: Tensor, expected: tuple[torch.dtype, tuple[int, ...]]
) -> None:
    if _layout(value) != expected:
        found = "{} {}".format(*_layout(value))
        raise SpaceError(f"{family.id}: {name} is {found}, expected {expected[0]} {expected[1]}.")
