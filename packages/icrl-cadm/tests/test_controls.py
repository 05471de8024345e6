"""Controls: the vectors of actions, computed by hand, both ways."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import Space, spaces

from icrl.errors import SpaceError
from icrl.spaces import leaf_dtype, leaf_shape, unstack
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl_cadm.controls import Controls, chosen

EXAMPLES: list[tuple[Space, Any, list[float]]] = [
    (spaces.Discrete(5, start=3), 4, [0, 1, 0, 0, 0]),
    (spaces.MultiDiscrete([2, 3], start=[5, 7]), [6, 7], [0, 1, 1, 0, 0]),
    (spaces.MultiDiscrete([[2], [3]]), [[1], [2]], [0, 1, 0, 0, 1]),
    (spaces.MultiBinary([2, 1]), [[1], [0]], [0, 1, 1, 0]),
    (spaces.Box(-1, 1, (2,)), [-1, 0.5], [-1, 0.5]),
    (spaces.Box(np.array([[0, -4]]), np.array([[2, 4]]), dtype=np.float64), [[1.5, 2]], [0.5, 0.5]),
    (spaces.Box(-2, 2, (1,), np.float16), [1], [0.5]),
    (spaces.Box(-0.5, 0.5, ()), 0.25, [0.5]),
]
SPACES = [space for space, _, _ in EXAMPLES]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize(("space", "action", "vector"), EXAMPLES, ids=str)
def test_an_action_is_shown_as_a_vector(space: Space, action: Any, vector: list[float]):
    controls = Controls(space)
    given = torch.as_tensor(np.stack([action] * 3), dtype=leaf_dtype(space))
    shown = controls.encoded(given)
    assert shown.dtype == torch.float32
    assert shown.tolist() == [vector] * 3 and controls.width == len(vector)


@pytest.mark.parametrize(("space", "action", "vector"), EXAMPLES, ids=str)
def test_a_vector_comes_back_as_the_action(space: Space, action: Any, vector: list[float]):
    received = Controls(space).decoded(torch.tensor([vector] * 3, dtype=torch.float32))
    assert (received.shape, received.dtype) == ((3, *leaf_shape(space)), leaf_dtype(space))
    assert received.tolist() == [np.asarray(action).tolist()] * 3


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_random_controls_are_actions_of_the_space(space: Space, generator: torch.Generator):
    controls = Controls(space)
    drawn = controls.random((61,), generator)
    actions = controls.decoded(drawn)
    assert all(space.contains(action) for action in unstack(space, actions))
    torch.testing.assert_close(controls.encoded(actions), drawn, rtol=0, atol=1e-3)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_any_leading_axes_are_welcome(space: Space, generator: torch.Generator):
    controls = Controls(space)
    drawn = controls.random((2, 3, 5), generator)
    actions = controls.decoded(drawn)
    assert drawn.shape == (2, 3, 5, controls.width)
    assert actions.shape == (2, 3, 5, *leaf_shape(space))
    assert torch.equal(actions.flatten(0, 2), controls.decoded(drawn.flatten(0, 2)))
    assert torch.equal(controls.encoded(actions)[1, 2], controls.encoded(actions[1, 2]))


def test_random_choices_are_uniform(generator: torch.Generator):
    drawn = Controls(spaces.MultiDiscrete([2, 5])).random((10_000,), generator)
    expected = torch.tensor([0.5] * 2 + [0.2] * 5)
    torch.testing.assert_close(drawn.mean(0), expected, rtol=0, atol=0.02)


def test_random_numbers_are_uniform_between_the_bounds(generator: torch.Generator):
    drawn = Controls(spaces.Box(0, 7, (2,))).random((10_000,), generator)
    assert drawn.min() >= -1 and drawn.max() <= 1
    torch.testing.assert_close(drawn.mean(0), torch.zeros(2), rtol=0, atol=0.03)
    torch.testing.assert_close(drawn.var(0), torch.full((2,), 1 / 3), rtol=0, atol=0.02)


def test_the_largest_number_of_each_part_is_chosen():
    weights = torch.tensor([[0.2, 0.1, -3.0, -1.0, -2.0], [0.0, 0.0, 0.0, 5.0, 7.0]])
    assert chosen(weights, (2, 3)).tolist() == [[1, 0, 0, 1, 0], [1, 0, 0, 0, 1]]


def test_an_action_out_of_bounds_is_taken_at_them():
    controls = Controls(spaces.Box(-2, 2, (1,)))
    assert controls.encoded(torch.tensor([[-9.0], [3.0]])).tolist() == [[-1], [1]]
    assert controls.decoded(torch.tensor([[-4.0], [1.5]])).tolist() == [[-2], [2]]


def test_a_number_that_cannot_vary_is_zero():
    controls = Controls(spaces.Box(np.float32([3, -1]), np.float32([3, 1])))
    assert controls.encoded(torch.tensor([[3.0, 1.0]])).tolist() == [[0, 1]]
    assert controls.decoded(torch.tensor([[0.7, 1.0]])).tolist() == [[3, 1]]


def test_bounds_may_be_as_far_apart_as_numbers_go():
    largest = float(np.finfo(np.float32).max)
    controls = Controls(spaces.Box(-largest, largest, (1,)))
    assert controls.encoded(torch.tensor([[largest], [0.0]])).tolist() == [[1], [0]]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_nothing_is_read_back_from_the_device(space: Space):
    controls = Controls(space, ACCELERATOR)
    with pretended_accelerator():
        drawn = controls.random((3,), torch.Generator())
        assert controls.encoded(controls.decoded(drawn)).device == ACCELERATOR


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 7, (2,), np.int64),
        spaces.Box(-np.inf, np.inf, (2,)),
        spaces.Dict({"a": spaces.Discrete(2)}),
    ],
    ids=str,
)
def test_actions_without_bounds_or_kind_are_refused(space: Space):
    with pytest.raises(SpaceError, match="Served: Discrete, MultiDiscrete, MultiBinary, and Box"):
        Controls(space)
