"""Bandits, pulled by hand; their splits, what they state, and what they refuse."""

import math

import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, TaskError
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl_envs.adversarial_bandit import AdversarialBandit
from icrl_envs.bandit_drawing import bandit_picture
from icrl_envs.bernoulli_bandit import BernoulliBandit
from icrl_envs.contextual_bandit import ContextualBandit
from icrl_envs.drawing import AGENT
from icrl_envs.gaussian_bandit import GaussianBandit
from icrl_envs.linear_bandit import LinearBandit, expected_maximum

EVERY = (BernoulliBandit, GaussianBandit, AdversarialBandit, LinearBandit, ContextualBandit)
ROWS = 20_011


def given(family, **arrays):
    """One task by hand."""
    arrays = {name: torch.tensor(array)[None] for name, array in arrays.items()}
    return Tasks(family.id, dict(family.arguments), "given", arrays)


def pulled(family, task, arm, seed=0):
    """What an arm pays at the first pull, in many rows."""
    env = family.vector_env(task, num_envs=ROWS)
    observation, _ = env.reset(seed=seed)
    return observation, env.step(torch.full((ROWS,), arm))[1]


# Stories


def test_certain_arms_pay_what_they_must():
    env = BernoulliBandit(num_arms=2, horizon=3).single_env()
    env.reset(seed=0, options={"task": {"probability": [1.0, 0.0]}})
    steps = [env.step(arm) for arm in (0, 1, 0)]
    assert [step[1] for step in steps] == [1, 0, 1]
    assert [step[2:4] for step in steps] == [(False, False), (False, False), (False, True)]


def test_a_bandit_shows_nothing():
    env = BernoulliBandit(num_arms=3).single_env()
    assert [env.reset(seed=0)[0], env.step(1)[0], env.step(2)[0]] == [0, 0, 0]


def test_an_arm_pays_as_often_as_its_probability_says():
    family = BernoulliBandit(num_arms=3)
    _, reward = pulled(family, given(family, probability=[0.9, 0.3, 0.1]), 1)
    assert set(reward.tolist()) == {0.0, 1.0}
    assert reward.mean().item() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / ROWS))


def test_a_gaussian_arm_pays_around_its_mean():
    family = GaussianBandit(num_arms=3)
    _, reward = pulled(family, given(family, mean=[0.9, 0.4, 0.1]), 1)
    assert reward.mean().item() == pytest.approx(0.4, abs=4 * 0.3 / math.sqrt(ROWS))
    assert reward.std().item() == pytest.approx(0.3, rel=0.02)


def test_a_gaussian_arm_without_noise_pays_its_mean():
    family = GaussianBandit(num_arms=3, standard_deviation=0)
    assert set(pulled(family, given(family, mean=[0.5, 0.25, 0.0]), 1)[1].tolist()) == {0.25}


def test_a_linear_arm_pays_the_product_of_what_is_shown_with_hidden_weights():
    """features (a, b) and weights (2, -1): 2 a - b"""
    family = LinearBandit(num_arms=3)
    features, reward = pulled(family, given(family, weights=[2.0, -1.0]), 1)
    noise = reward - (2 * features[:, 1, 0] - features[:, 1, 1])
    assert noise.mean().item() == pytest.approx(0, abs=4 / math.sqrt(ROWS))
    assert noise.std().item() == pytest.approx(1, rel=0.02)


def test_a_contextual_arm_pays_the_product_of_what_is_shown_with_hidden_features():
    """context (a, b) and the arm's features (2, -1): 2 a - b"""
    family = ContextualBandit(num_arms=3)
    task = given(family, features=[[5.0, 5.0], [2.0, -1.0], [7.0, 7.0]])
    context, reward = pulled(family, task, 1)
    noise = reward - (2 * context[:, 0] - context[:, 1])
    assert noise.mean().item() == pytest.approx(0, abs=4 / math.sqrt(ROWS))
    assert noise.std().item() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("make", [LinearBandit, ContextualBandit])
def test_what_is_shown_changes_with_each_pull(make):
    env = make(num_arms=3, horizon=7).single_env()
    seen = [env.reset(seed=0)[0], env.step(0)[0], env.step(0)[0]]
    assert len({shown.tobytes() for shown in seen}) == 3


@pytest.mark.parametrize("make", [LinearBandit, ContextualBandit])
@pytest.mark.parametrize("num_features", [2, 5])
def test_what_is_shown_has_unit_length_on_average(make, num_features):
    family = make(num_arms=3, num_features=num_features)
    shown, _ = pulled(family, family.sample_tasks(1, seed=0), 0)
    assert shown.square().sum(-1).mean().item() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("make", EVERY)
def test_one_episode_is_a_trial(make):
    family = make(horizon=11)
    assert (family.trial_episodes, family.max_episode_steps) == (1, 11)


@pytest.mark.parametrize("make", EVERY)
def test_the_oracle_plays_where_the_environment_is(make):
    """The tasks may have been left on the CPU."""
    family = make(num_arms=3)
    tasks = family.sample_tasks(5, seed=0)
    env = family.vector_env(tasks, device="meta")
    opening = TimeStep.first(env.reset(seed=0)[0], family.action_space)
    action, _ = family.oracle(tasks).act(opening, None, torch.Generator())
    assert (action.device.type, tuple(action.shape)) == ("meta", (5,))


# Splits


def odd_is_good(split):
    """In which tasks of a split every odd arm is better than every even one."""
    chances = AdversarialBandit().sample_tasks(5003, split=split, seed=0).arrays["probability"]
    return chances[:, 1::2].amin(-1) > chances[:, ::2].amax(-1)


@pytest.mark.parametrize(("split", "share"), [("train", 0.95), ("test", 0.05)])
def test_good_arms_lie_where_the_split_has_them(split, share):
    assert odd_is_good(split).double().mean().item() == pytest.approx(share, abs=0.014)


def test_the_uniform_split_has_no_good_side():
    assert odd_is_good("uniform").double().mean() < 0.02


def test_arms_are_uniform_within_their_half():
    chances = AdversarialBandit().sample_tasks(5003, seed=0).arrays["probability"]
    chances = torch.where(odd_is_good("train")[:, None], chances, chances.roll(1, -1))
    for part, low in ((chances[:, 1::2], 0.5), (chances[:, ::2], 0.0)):
        assert part.amin() >= low and part.amax() <= low + 0.5
        assert part.mean().item() == pytest.approx(low + 0.25, abs=0.005)


@pytest.mark.parametrize("make", EVERY)
def test_another_split_seed_has_other_tasks(make):
    one, other = (
        next(iter(make(split_seed=seed).sample_tasks(7, seed=3).arrays.values())) for seed in (0, 1)
    )
    assert not torch.equal(one, other)


# What they state


@pytest.mark.parametrize("num_arms", [5, 10, 50])
@pytest.mark.parametrize("horizon", [10, 100, 500])
def test_rl2s_settings_earn_what_its_table_says(num_arms, horizon):
    """n k / (k + 1) and n / 2, over 10,000 tasks."""
    family = icrl.make_family(f"icrl/BernoulliBandit{num_arms}x{horizon}-v0")
    tasks = family.sample_tasks(10_000, split="test", seed=0)
    assert family.action_space.n == num_arms and family.max_episode_steps == horizon
    optimum, random = family.optimal_return(tasks) / horizon, family.random_return(tasks) / horizon
    bound = 4.5 / math.sqrt(len(tasks))
    assert optimum.mean().item() == pytest.approx(
        num_arms / (num_arms + 1), abs=bound * optimum.std().item()
    )
    assert random.mean().item() == pytest.approx(0.5, abs=bound * random.std().item())


@pytest.mark.parametrize(
    ("make", "optimum", "random"),
    [
        (GaussianBandit, 500 * 5 / 6, 250),
        (AdversarialBandit, 100 * (0.5 + 0.5 * 5 / 6), 50),
        (LinearBandit, 351.1, 0),
        (ContextualBandit, 351.1, 0),
    ],
)
def test_mean_returns_are_those_of_the_datasheet(make, optimum, random):
    family = make()
    tasks = family.sample_tasks(4001, seed=0)
    for stated, expected in (
        (family.optimal_return(tasks), optimum),
        (family.random_return(tasks), random),
    ):
        bound = 4.5 * stated.std().item() / math.sqrt(len(tasks))
        assert stated.mean().item() == pytest.approx(expected, abs=bound)


@pytest.mark.parametrize(
    ("count", "mean"), [(1, 0.0), (2, 0.564190), (3, 0.846284), (20, 1.867475)]
)
def test_the_largest_of_normal_numbers_is_as_tabulated(count, mean):
    """1 / sqrt(pi) for two, 3 / (2 sqrt(pi)) for three."""
    assert expected_maximum(count) == pytest.approx(mean, abs=1e-6)


def test_the_contextual_optimum_is_the_girth_of_the_arms_features():
    """In the plane, the mean of max_a <w_a, u> over directions u is the perimeter of the hull of
    the w_a, here of a triangle, over 2 pi; the context's mean length is sqrt(pi) / 2.
    """
    family = ContextualBandit(num_arms=3, horizon=100)
    task = given(family, features=[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    expected = 100 * (2 + math.sqrt(2)) / (2 * math.pi) * math.sqrt(math.pi) / 2
    assert family.optimal_return(task).item() == pytest.approx(expected, rel=2e-3)


# Pictures


@pytest.mark.parametrize("make", EVERY)
def test_each_pull_is_seen_in_a_picture_of_one_size(make):
    env = make(num_arms=3, horizon=11).single_env(render_mode="rgb_array")
    env.reset(seed=0)
    pictures = [env.render()]
    for arm in (0, 2):
        env.step(arm)
        pictures.append(env.render())
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_only_the_best_arm_is_golden():
    env = BernoulliBandit(num_arms=3).single_env(render_mode="rgb_array")
    env.reset(options={"task": {"probability": [0.25, 0.75, 0.5]}})
    picture = env.render().astype(int)
    columns = picture[[12 + 18, 12 + 54, 12 + 90], :][:, 14]  # the middle of each arm's row
    golden = [np.abs(pixel - [245, 190, 92]).max() < 12 for pixel in columns]
    assert golden == [False, True, False]


def test_a_pull_that_paid_is_brighter_than_one_that_did_not():
    env = BernoulliBandit(num_arms=2, horizon=10).single_env(render_mode="rgb_array")
    env.reset(options={"task": {"probability": [1.0, 0.0]}})
    for arm in (0, 1, 1):
        env.step(arm)
    picture = env.render().astype(int)
    paid, unpaid = picture[12 + 18, 146 + 19], picture[12 + 54, 146 + 48 + 19]
    assert paid.sum() > unpaid.sum() + 100


@pytest.mark.parametrize(("make", "steady"), [(GaussianBandit, True), (LinearBandit, False)])
def test_the_mean_of_what_an_arm_paid_is_shown_where_it_tells_what_it_will_pay(make, steady):
    env = make(num_arms=2, horizon=11).single_env(render_mode="rgb_array")
    env.reset(seed=0)
    env.step(0)
    pays = env.render()[12 : 12 + 36, 12 : 12 + 120].astype(int)
    assert (np.abs(pays - AGENT).max(-1) < 12).any() == steady


def test_the_mean_that_is_shown_is_that_of_all_an_arm_paid():
    """3, 0 and 0 have the mean 1, half of what is shown, though 3 itself is more than that."""
    paid = np.array([3.0, 0.0, 0.0])
    picture = bandit_picture(
        np.array([0.2, 0.4]), np.zeros(3, np.int64), paid, 11, (0.0, 2.0), steady=True
    ).astype(int)
    pays = picture[12 + 18, 12 : 12 + 120]  # the middle of the first arm's row
    pale = np.flatnonzero(np.abs(pays - AGENT).max(-1) < 12)
    assert pale.mean() + 0.5 == pytest.approx(60, abs=1)


# Refusals


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        *((make, {"num_arms": 0}, "num_arms=0: expected a whole number, 2") for make in EVERY),
        *((make, {"horizon": -1}, "horizon=-1: expected a whole number, 1") for make in EVERY),
        *((make, {"split_seed": -1}, "split_seed=-1") for make in EVERY),
        (BernoulliBandit, {"num_arms": 1}, "num_arms=1"),
        (BernoulliBandit, {"horizon": 2.5}, "horizon=2.5"),
        (GaussianBandit, {"standard_deviation": -0.1}, "standard_deviation=-0.1"),
        (GaussianBandit, {"standard_deviation": math.nan}, "standard_deviation=nan"),
        (LinearBandit, {"num_features": 0}, "num_features=0"),
        (ContextualBandit, {"num_features": 0}, "num_features=0"),
    ],
)
def test_what_cannot_be_is_refused(make, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make(**arguments)


def test_a_seed_below_zero_draws_no_tasks():
    with pytest.raises(TaskError, match="seed=-1: expected 0 or more"):
        BernoulliBandit().sample_tasks(1, seed=-1)


def test_half_a_task_is_refused():
    with pytest.raises(TaskError, match=r"2\.5 tasks asked of .*: expected a whole number"):
        BernoulliBandit().sample_tasks(2.5, seed=0)


def test_a_probability_above_one_is_refused():
    with pytest.raises(TaskError, match="probability"):
        BernoulliBandit(num_arms=2).single_env().reset(options={"task": {"probability": [0.5, 2]}})
