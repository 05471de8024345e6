"""States: every observation space as vectors, what a model is shown, and what families pay."""

import numpy as np
import pytest
import torch
from gymnasium import Space, spaces
from hypothesis import given
from hypothesis import strategies as st

from icrl.errors import SpaceError
from icrl.families import DynamicsView, RewardModel
from icrl.spaces import stack
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl_cadm.controls import Controls
from icrl_cadm.states import FamilyRewards, States

IMAGE = spaces.Box(0, 255, (72, 40, 3), np.uint8)


def vector(space: Space, value: object) -> list[float]:
    """The state of one observation."""
    return States(space, "cpu").vectors(stack(space, [value]))[0].tolist()


# Every space.


def test_a_box_is_its_numbers_as_they_are():
    space = spaces.Box(-np.inf, np.inf, (2, 3), np.float64)
    value = np.array([[1e3, -2, 3], [4, 5, 6.5]])
    assert vector(space, value) == [1e3, -2, 3, 4, 5, 6.5]


def test_a_small_box_of_whole_numbers_is_no_image():
    space = spaces.Box(0, 255, (2, 1, 3), np.uint8)
    assert vector(space, np.arange(6, dtype=np.uint8).reshape(2, 1, 3)) == [0, 1, 2, 3, 4, 5]


def test_a_scalar_box_is_one_number():
    assert vector(spaces.Box(0, 9, (), np.float32), np.float32(7)) == [7]


def test_a_code_is_one_hot_whatever_it_starts_from():
    assert vector(spaces.Discrete(3, start=-1), -1) == [1, 0, 0]
    assert vector(spaces.Discrete(3, start=5), 7) == [0, 0, 1]


def test_codes_stand_one_hot_side_by_side():
    space = spaces.MultiDiscrete([2, 3], start=np.array([0, 4]))
    assert vector(space, np.array([1, 5])) == [0, 1, 0, 1, 0]


def test_bits_are_zeros_and_ones():
    assert vector(spaces.MultiBinary([2, 2]), np.array([[0, 1], [1, 1]])) == [0, 1, 1, 1]


def test_short_texts_are_one_hot_characters():
    assert vector(spaces.Text(2, charset="ab"), "b") == [0, 0, 1, 1, 0, 0]


def test_long_texts_are_codes():
    found = vector(spaces.Text(1100, min_length=0, charset="ab"), "ab")
    assert found[:3] == [0.5, 1, 0] and len(found) == 1100


def test_parts_stand_side_by_side_in_order():
    space = spaces.Dict(
        {
            "z": spaces.Discrete(2),
            "a": spaces.Tuple((spaces.Box(-9, 9, (1,)), spaces.MultiBinary(1))),
        }
    )
    value = {"z": 1, "a": (np.array([-3.0], np.float32), np.array([1]))}
    order = list(space.spaces)
    parts = {"z": [0, 1], "a": [-3, 1]}
    assert vector(space, value) == [*parts[order[0]], *parts[order[1]]]


def test_an_image_is_averaged_to_cells_of_each_channel():
    pixels = np.zeros((72, 40, 3), np.uint8)
    pixels[:9, :5, 1] = 255  # the first of 8 x 8 cells, in the second channel
    expected = torch.zeros(3, 8, 8)
    expected[1, 0, 0] = 1
    assert vector(IMAGE, pixels) == expected.flatten().tolist()


def test_an_image_with_channels_first_is_the_same():
    space = spaces.Box(0, 255, (3, 72, 40), np.uint8)
    pixels = np.random.default_rng(0).integers(0, 256, IMAGE.shape, np.uint8)
    assert vector(space, pixels.transpose(2, 0, 1)) == vector(IMAGE, pixels)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (5,)),
        spaces.Discrete(7),
        spaces.MultiDiscrete([[2, 3], [5, 7]]),
        spaces.MultiBinary(5),
        spaces.Text(5),
        IMAGE,
        spaces.Dict({"image": IMAGE, "at": spaces.Tuple((spaces.Discrete(3), spaces.Text(2)))}),
    ],
    ids=lambda space: type(space).__name__,
)
def test_states_have_the_size_that_is_said(space: Space):
    states = States(space, "cpu")
    found = states.vectors(stack(space, [space.sample() for _ in range(3)]))
    assert (found.shape, found.dtype) == ((3, states.size), torch.float32)
    assert states.num_inputs == states.size


def test_nothing_is_read_back():
    space = spaces.Dict({"code": spaces.Discrete(7), "image": IMAGE, "text": spaces.Text(2)})
    states = States(space, ACCELERATOR)
    with pretended_accelerator() as device:
        seen = {
            "code": torch.zeros(3, dtype=torch.int64, device=device),
            "image": torch.zeros(3, *IMAGE.shape, dtype=torch.uint8, device=device),
            "text": torch.zeros(3, 2, dtype=torch.int64, device=device),
        }
        assert states.vectors(seen).shape == (3, states.size)


# What a model is shown, and what it predicts.


class Turned(DynamicsView):
    """An angle and a speed: shown as sine, cosine and speed; the speed is predicted as it is."""

    def model_inputs(self, observation):
        angle, speed = observation.unbind(-1)
        return torch.stack([angle.sin(), angle.cos(), speed], -1)

    def model_targets(self, observation, next_observation):
        turn = next_observation[..., 0] - observation[..., 0]
        return torch.stack([turn, next_observation[..., 1]], -1)

    def predicted_observation(self, observation, target):
        return torch.stack([observation[..., 0] + target[..., 0], target[..., 1]], -1)


PLANE = spaces.Box(-np.inf, np.inf, (2,))


def test_without_a_view_a_model_is_shown_the_state():
    state = torch.randn(5, 3, 2)
    assert States(PLANE, "cpu").inputs(state) is state


def test_without_a_view_a_model_predicts_the_difference():
    states = States(PLANE, "cpu")
    assert states.targets(torch.tensor([1.0, 2]), torch.tensor([4.0, 1])).tolist() == [3, -1]


def test_a_view_says_what_a_model_is_shown():
    states = States(PLANE, "cpu", Turned())
    assert (states.size, states.num_inputs) == (2, 3)
    assert states.inputs(torch.zeros(5, 3, 2))[4, 2].tolist() == [0, 1, 0]


def test_a_view_says_what_is_predicted():
    states = States(PLANE, "cpu", Turned())
    assert states.targets(torch.tensor([1.0, 2]), torch.tensor([4.0, 1])).tolist() == [3, 1]


@given(st.sampled_from([None, Turned()]), st.integers(0, 100))
def test_what_is_predicted_leads_back_to_the_following_state(view, seed):
    states = States(PLANE, "cpu", view)
    state, following = torch.randn(
        2, 7, 3, 2, generator=torch.Generator().manual_seed(seed)
    ).unbind()
    found = states.following(state, states.targets(state, following))
    torch.testing.assert_close(found, following)


@pytest.mark.parametrize("space", [spaces.Discrete(3), IMAGE, spaces.Box(0, 1, (2, 3))])
def test_a_view_of_what_is_no_vector_is_refused(space):
    with pytest.raises(SpaceError, match=r"Turned is a DynamicsView.* expected a Box of one axis"):
        States(space, "cpu", Turned())


def test_a_space_without_a_vector_is_refused():
    with pytest.raises(SpaceError, match="no tensor form of fixed size"):
        States(spaces.Sequence(spaces.Discrete(2)), "cpu")


# What a family pays for imagined steps.


class Pays(RewardModel):
    """Pays where a step leads, less twice the action; ends beyond three."""

    def reward_and_termination(self, observation, action, next_observation):
        self.seen = observation
        place = next_observation.sum(-1)
        return place - 2 * action.sum(-1), place > 3


def test_a_family_pays_for_states_with_any_leading_axes():
    controls = Controls(spaces.Box(-5, 5, (1,)), "cpu")
    rewards = FamilyRewards(Pays(), PLANE, controls)
    following = torch.tensor([[0.0, 1], [2, 2]]).expand(3, 2, 2)
    control = torch.full((3, 2, 1), 0.2)  # a fifth of the bound of 5: an action of 1
    reward, terminated = rewards(torch.zeros(3, 2, 2), control, following)
    assert reward.tolist() == [[-1, 2]] * 3 and terminated.tolist() == [[False, True]] * 3


def test_a_family_is_shown_observations_of_its_own_shape_and_type():
    family = Pays()
    rewards = FamilyRewards(
        family, spaces.Box(0, 9, (2, 2), np.int64), Controls(spaces.Box(-5, 5, (1,)), "cpu")
    )
    rewards(torch.tensor([[0.6, 1.4, 2, 3]]), torch.zeros(1, 1), torch.zeros(1, 4))
    assert family.seen.tolist() == [[[1, 1], [2, 3]]] and family.seen.dtype == torch.int64


def test_rewards_are_served_where_states_are_observations():
    assert FamilyRewards.serves(Pays(), PLANE)
    assert not FamilyRewards.serves(object(), PLANE)
    assert not FamilyRewards.serves(Pays(), IMAGE)
    assert not FamilyRewards.serves(Pays(), spaces.Discrete(3))


def test_a_family_that_cannot_be_asked_is_refused():
    controls = Controls(spaces.Discrete(2), "cpu")
    with pytest.raises(SpaceError, match=r"Pays with observations Discrete\(3\).*Learn the reward"):
        FamilyRewards(Pays(), spaces.Discrete(3), controls)
