"""Action heads: probabilities by hand, draws that follow them, and what no head serves."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings

from icrl.errors import SpaceError
from icrl.nn import action_distribution, action_head, initial_weights
from icrl.nn.actions import BINS
from icrl.spaces import stack, unstack
from icrl.trees import leaves, map_tree

WIDTH = 11
LOG = math.log

LEAVES = st.one_of(
    st.builds(
        lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 7), st.integers(-3, 5)
    ),
    st.just(spaces.MultiDiscrete([[2, 3], [5, 7]], start=[[1, -1], [0, 4]])),
    st.just(spaces.MultiBinary([2, 3])),
    st.sampled_from([np.float32, np.float64, np.uint8, np.int64]).map(
        lambda dtype: spaces.Box(-0 if dtype is np.uint8 else -5, 11, (2, 3), dtype)
    ),
    st.just(spaces.Box(-np.inf, np.inf, (3,), np.float32)),
    st.just(spaces.Box(np.array([-1.0, -np.inf]), np.array([1.0, np.inf]), dtype=np.float64)),
    st.just(spaces.Box(-2.0, 2.0, (), np.float32)),
)
SPACES = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3).map(spaces.Tuple),
        st.dictionaries(st.sampled_from("xyz"), children, min_size=1, max_size=3).map(spaces.Dict),
    ),
    max_leaves=4,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def head_of(space):
    with initial_weights(generator()):
        head = action_head(space, WIDTH)
        torch.nn.init.normal_(head.linear.weight, std=1.0)
    return head.requires_grad_(False)


@given(space=SPACES, seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_what_is_drawn_lies_in_the_space(space, seed):
    head = head_of(space)
    logits = head.logits(torch.randn(5, WIDTH, generator=generator(seed)))
    for action in (head.sample(logits, generator(seed)), head.mode(logits)):
        assert all(value in space for value in unstack(space, action))


@given(space=SPACES, seed=st.integers(0, 2**31 - 1))
@settings(deadline=None, max_examples=60)
def test_what_is_in_the_space_has_a_finite_probability(space, seed):
    head = head_of(space)
    space.seed(seed)
    action = stack(space, [space.sample() for _ in range(6)])
    logits = head.logits(torch.randn(6, WIDTH, generator=generator(seed)))
    log_prob = head.log_prob(logits, action)
    assert log_prob.shape == (6,)
    assert log_prob.isfinite().all()
    grid = map_tree(lambda t: t.reshape(2, 3, *t.shape[1:]), action)
    loss = head.loss(logits.reshape(2, 3, -1), grid, 0.1)
    assert loss.shape == (2, 3)
    torch.testing.assert_close(head.loss(logits, action, 0.1).reshape(2, 3), loss)


@given(space=SPACES)
@settings(deadline=None, max_examples=40)
def test_draws_come_from_the_given_generator_alone(space):
    head = head_of(space)
    logits = head.logits(torch.randn(7, WIDTH, generator=generator(1)))
    before = torch.get_rng_state()
    first, second = (head.sample(logits, generator(3)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    for (_, one), (_, other) in zip(leaves(first), leaves(second), strict=True):
        assert torch.equal(one, other)


def test_a_discrete_action_has_the_softmax_of_its_logit():
    distribution = action_distribution(spaces.Discrete(3, start=5))
    logits = torch.tensor([LOG(1.0), LOG(2.0), LOG(5.0)])
    probabilities = distribution.log_prob(logits.expand(3, 3), torch.tensor([5, 6, 7])).exp()
    torch.testing.assert_close(probabilities, torch.tensor([1 / 8, 2 / 8, 5 / 8]))
    assert distribution.mode(logits).item() == 7


def test_samples_follow_their_probabilities():
    distribution = action_distribution(spaces.Discrete(3, start=5))
    logits = torch.tensor([LOG(1.0), LOG(2.0), LOG(5.0)]).expand(100_003, 3)
    drawn = distribution.sample(logits, generator()) - 5
    shares = drawn.bincount(minlength=3) / len(drawn)
    torch.testing.assert_close(shares, torch.tensor([1 / 8, 2 / 8, 5 / 8]), atol=0.006, rtol=0)


def test_an_impossible_choice_is_never_drawn():
    distribution = action_distribution(spaces.Discrete(2))
    logits = torch.tensor([0.0, -torch.inf]).expand(1009, 2)
    assert not distribution.sample(logits, generator()).any()


def test_factors_multiply():
    distribution = action_distribution(spaces.MultiDiscrete([2, 3], start=[0, 1]))
    logits = torch.tensor([LOG(1.0), LOG(3.0), LOG(1.0), LOG(1.0), LOG(2.0)])
    expected = torch.tensor(3 / 4 * 2 / 4).log()
    torch.testing.assert_close(distribution.log_prob(logits, torch.tensor([1, 3])), expected)
    assert distribution.mode(logits).tolist() == [1, 3]


def test_bits_are_coins():
    distribution = action_distribution(spaces.MultiBinary(2))
    logits = torch.tensor([LOG(3.0), -LOG(4.0)])  # odds 3 : 1 and 1 : 4
    expected = torch.tensor(3 / 4 * 4 / 5).log()
    torch.testing.assert_close(distribution.log_prob(logits, torch.tensor([1, 0])), expected)
    assert distribution.mode(logits).tolist() == [1, 0]


def test_a_density_over_bins_integrates_to_one():
    distribution = action_distribution(spaces.Box(-2.0, 3.0, (1,), np.float32))
    logits = torch.randn(BINS, generator=generator())
    middles = -2.0 + 5.0 * (torch.arange(BINS) + 0.5) / BINS
    density = distribution.log_prob(logits.expand(BINS, BINS), middles.unsqueeze(-1)).exp()
    torch.testing.assert_close(density.sum() * 5.0 / BINS, torch.tensor(1.0))
    best = int(logits.argmax())
    torch.testing.assert_close(distribution.mode(logits), middles[best : best + 1])


def test_the_bounds_themselves_belong_to_the_outer_bins():
    distribution = action_distribution(spaces.Box(-2.0, 2.0, (1,), np.float32))
    logits = torch.zeros(2, BINS)
    at_bounds = distribution.log_prob(logits, torch.tensor([[-2.0], [2.0]]))
    torch.testing.assert_close(at_bounds, torch.full((2,), -LOG(4.0)))


def test_an_unbounded_action_has_the_density_of_its_gaussian():
    distribution = action_distribution(spaces.Box(-np.inf, np.inf, (1,), np.float32))
    logits = torch.tensor([1.0, 0.0])
    mean, log_std = distribution._moments(logits)
    std = log_std.exp().item()
    expected = torch.distributions.Normal(mean, std).log_prob(torch.tensor([1.7])).sum()
    torch.testing.assert_close(distribution.log_prob(logits, torch.tensor([1.7])), expected)
    drawn = distribution.sample(logits.expand(40_009, 2), generator())
    assert abs(drawn.mean() - 1.0) < 4 * std / 200
    assert abs(drawn.std() / std - 1) < 0.02


def test_label_smoothing_spreads_its_share_over_all_choices():
    distribution = action_distribution(spaces.Discrete(3))
    logits = torch.tensor([LOG(1.0), LOG(2.0), LOG(5.0)])
    smoothed = distribution.loss(logits, torch.tensor(2), 0.3)
    target = [0.1, 0.1, 0.8]
    by_hand = -sum(t * LOG(p) for t, p in zip(target, [1 / 8, 2 / 8, 5 / 8], strict=True))
    torch.testing.assert_close(smoothed, torch.tensor(by_hand))


def test_few_integers_are_choices():
    distribution = action_distribution(spaces.Box(-1, 1, (2,), np.int8))
    assert distribution.num_logits == 6
    assert distribution.mode(torch.tensor([0.0, 0, 1, 1, 0, 0])).tolist() == [1, -1]
    assert distribution.mode(torch.zeros(6)).dtype == torch.int8


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(5),
        spaces.Box(0, 5000, (2,), np.int64),
        spaces.Sequence(spaces.Discrete(2)),
        spaces.Dict(arm=spaces.Discrete(2), name=spaces.Text(3)),
    ],
)
def test_a_space_without_a_head_is_refused(space):
    with pytest.raises(SpaceError, match="no action head serves the space"):
        action_head(space, WIDTH)
