"""Encoders and tokens: any space, any leading axes, told apart, and normalised only when told
to.
"""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings

from icrl.errors import SpaceError
from icrl.nn import RunningNorm, SpaceEncoder, TimeStepEncoder, initial_weights
from icrl.nn.encoders import ImageEncoder, NumberEncoder, SymbolEncoder, leaf_encoder
from icrl.spaces import stack, zeros
from icrl.testing.policies import random_trial
from icrl.timestep import TimeStep
from icrl.trees import leaves, map_tree

WIDTH = 11

LEAVES = st.one_of(
    st.builds(
        lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 7), st.integers(-3, 5)
    ),
    st.lists(st.integers(1, 5), min_size=1, max_size=3).map(spaces.MultiDiscrete),
    st.just(spaces.MultiDiscrete([[2, 3], [5, 7]], start=[[1, -1], [0, 4]])),
    st.integers(1, 5).map(spaces.MultiBinary),
    st.just(spaces.MultiBinary([2, 3])),
    st.sampled_from([np.float32, np.float64, np.uint8, np.int64]).map(
        lambda dtype: spaces.Box(0, 11, (2, 3), dtype)
    ),
    st.just(spaces.Box(-np.inf, np.inf, (3,), np.float32)),
    st.just(spaces.Box(np.array([-1.0, -np.inf]), np.array([1.0, np.inf]), dtype=np.float64)),
    st.just(spaces.Box(-2.0, 2.0, (), np.float32)),
    st.just(spaces.Box(0, 255, (7, 7, 3), np.uint8)),
    st.just(spaces.Box(0, 255, (33, 37, 3), np.uint8)),
    st.just(spaces.Text(7, min_length=0, charset="abc de")),
)
SPACES = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.sampled_from("xyz"), children, min_size=1, max_size=3).map(spaces.Dict),
    ),
    max_leaves=4,
)


def encoder_of(space):
    with initial_weights(torch.Generator().manual_seed(0)):
        return SpaceEncoder(space, WIDTH)


def samples(space, count, seed=0):
    space.seed(seed)
    return stack(space, [space.sample() for _ in range(count)])


@given(space=SPACES, seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_leading_axes_do_not_matter(space, seed):
    values = samples(space, 6, seed)
    encoder = encoder_of(space)
    flat = encoder(values)
    grid = encoder(map_tree(lambda t: t.reshape(2, 3, *t.shape[1:]), values))
    single = encoder(map_tree(lambda t: t[4], values))
    assert flat.shape == (6, WIDTH)
    assert flat.isfinite().all()
    torch.testing.assert_close(grid.reshape(6, WIDTH), flat)
    torch.testing.assert_close(single, flat[4])


@given(space=SPACES, seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_values_that_differ_are_told_apart(space, seed):
    values = samples(space, 2, seed)
    first, second = encoder_of(space)(values)
    differ = any(not torch.equal(leaf[0], leaf[1]) for _, leaf in leaves(values))
    assert torch.allclose(first, second, rtol=0, atol=1e-6) == (not differ)


@given(space=SPACES)
@settings(deadline=None, max_examples=40)
def test_the_zeros_before_a_first_action_can_be_encoded(space):
    assert encoder_of(space)(zeros(space, (3,))).isfinite().all()


@given(space=SPACES)
@settings(deadline=None, max_examples=30)
def test_every_weight_learns_from_what_it_encodes(space):
    encoder = encoder_of(space)
    encoder(samples(space, 7)).square().sum().backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize("shape", [(40, 36, 3), (3, 40, 36), (40, 36), (4, 84, 84)])
def test_large_bytes_are_convolved_whichever_axis_is_first(shape):
    encoder = leaf_encoder(spaces.Box(0, 255, shape, np.uint8), WIDTH)
    assert isinstance(encoder, ImageEncoder)
    image = torch.randint(0, 256, (2, *shape), dtype=torch.uint8)
    assert encoder(image).shape == (2, WIDTH)


def test_an_image_reads_the_same_with_its_channels_first_or_last():
    with initial_weights(torch.Generator().manual_seed(1)):
        first = leaf_encoder(spaces.Box(0, 255, (3, 40, 36), np.uint8), WIDTH)
    with initial_weights(torch.Generator().manual_seed(1)):
        last = leaf_encoder(spaces.Box(0, 255, (40, 36, 3), np.uint8), WIDTH)
    image = torch.randint(0, 256, (2, 3, 40, 36), dtype=torch.uint8)
    torch.testing.assert_close(first(image), last(image.movedim(1, 3)))


def test_a_small_symbolic_array_has_one_vocabulary_for_each_channel():
    encoder = leaf_encoder(spaces.Box(0, 255, (7, 7, 3), np.uint8), WIDTH)
    assert isinstance(encoder, SymbolEncoder)
    one = torch.zeros(7, 7, 3, dtype=torch.uint8)
    object_five, colour_five = one.clone(), one.clone()
    object_five[2, 3, 0] = 5
    colour_five[2, 3, 1] = 5
    assert not torch.allclose(encoder(object_five), encoder(colour_five))


def test_bounds_set_the_scale_of_what_has_them():
    low, high = np.array([0, 10], np.float32), np.array([4, 30], np.float32)
    encoder = leaf_encoder(spaces.Box(low, high), WIDTH)
    assert isinstance(encoder, NumberEncoder)
    encoder.up, encoder.down = torch.nn.Identity(), torch.nn.Identity()
    expected = torch.nn.functional.gelu(torch.tensor([[-1.0, -1.0], [0.5, 1.0]]))
    values = torch.tensor([[0.0, 10.0], [3.0, 30.0]])
    torch.testing.assert_close(encoder(values), expected)


def test_statistics_move_only_when_told_to():
    space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    encoder = encoder_of(space)
    values = 50 + 5 * torch.randn(101, 3, generator=torch.Generator().manual_seed(2))
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    encoder(values)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    encoder.observe(values)
    assert not torch.equal(encoder.state_dict()["parts.0.norm.mean"], before["parts.0.norm.mean"])


def test_running_statistics_are_those_of_all_that_was_observed():
    norm = RunningNorm(2)
    values = torch.randn(17, 2, generator=torch.Generator().manual_seed(3)) * 3 + 7
    for part in values.split([5, 1, 11]):
        norm.observe(part)
    torch.testing.assert_close(norm.mean, values.mean(0))
    torch.testing.assert_close(norm.spread, values.std(0, correction=0))
    torch.testing.assert_close(norm(values).mean(0), torch.zeros(2), atol=1e-5, rtol=0)


def test_a_constant_feature_stays_finite():
    norm = RunningNorm(1)
    norm.observe(torch.full((3, 1), 5.0))
    assert norm(torch.tensor([[5.0], [5.1]])).tolist() == [[0.0], [10.0]]


def test_rewards_of_any_scale_are_told_apart():
    with initial_weights(torch.Generator().manual_seed(0)):
        encoder = TimeStepEncoder(spaces.Discrete(5), spaces.Discrete(3), WIDTH)
    rewards = torch.tensor([0.0, 1e-4, 1.0, -1.0, 100.0, 10_000.0])
    step = TimeStep.first(torch.zeros(6, dtype=torch.int64), spaces.Discrete(3))
    tokens = encoder(replace(step, reward=rewards))
    assert tokens.isfinite().all()
    assert tokens.abs().max() < 20
    assert torch.pdist(tokens).min() > 0.1


def test_a_token_tells_every_part_of_a_timestep():
    observation_space, action_space = spaces.Discrete(5), spaces.Discrete(3)
    with initial_weights(torch.Generator().manual_seed(0)):
        encoder = TimeStepEncoder(observation_space, action_space, WIDTH)
    generator = torch.Generator().manual_seed(0)
    step = random_trial(observation_space, action_space, 2, 3, generator)[2]
    token = encoder(step)
    assert token.shape == (2, WIDTH)
    for name in ("observation", "action", "reward", "terminated", "episode_start"):
        value = getattr(step, name)
        other = ~value if value.dtype == torch.bool else (value + 1) % 3
        changed = encoder(type(step)(**{**vars(step), name: other}))
        assert not torch.allclose(changed, token), name


def test_a_space_without_a_tensor_form_is_refused():
    with pytest.raises(SpaceError, match="no tensor form of fixed size"):
        SpaceEncoder(spaces.Sequence(spaces.Discrete(3)), WIDTH)


def test_initial_weights_leave_the_global_generator_alone():
    torch.manual_seed(13)
    before = torch.get_rng_state()
    first, second = (encoder_of(spaces.Discrete(5)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    value = torch.tensor([3])
    assert torch.equal(first(value), second(value))
