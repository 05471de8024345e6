"""CartPole and Pendulum: lists of tasks, what is earned, pictures, refusals."""

import gymnasium
import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, SplitError, TaskError
from icrl.families import Episode
from icrl_envs.cart_pole import CartPole
from icrl_envs.drawing import AGENT, GOLD
from icrl_envs.pendulum import Pendulum

NAMES = {"icrl/CartPole-v0": ("force", "length"), "icrl/Pendulum-v0": ("mass", "length")}


def of(*values):
    return torch.tensor(values, dtype=torch.float32)


# Tasks


def listed(id, split):
    """All tasks of a split, as pairs."""
    family = icrl.make_family(id)
    arrays = family.sample_tasks(family.num_tasks[split], split=split, seed=0).arrays
    columns = ([round(value, 3) for value in arrays[name].tolist()] for name in NAMES[id])
    return set(zip(*columns, strict=True))


def pairs(ones, others):
    return {(one, other) for one in ones for other in others}


FINE = [0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25]


@pytest.mark.parametrize(
    ("id", "split", "expected"),
    [
        ("icrl/CartPole-v0", "train", pairs(range(5, 16), [0.4, 0.45, 0.5, 0.55, 0.6])),
        (
            "icrl/CartPole-v0",
            "moderate",
            pairs([3, 3.5], [0.25, 0.3]) | pairs([16.5, 17], [0.7, 0.75]),
        ),
        (
            "icrl/CartPole-v0",
            "extreme",
            pairs([2, 2.5], [0.15, 0.2]) | pairs([17.5, 18], [0.8, 0.85]),
        ),
        ("icrl/Pendulum-v0", "train", pairs(FINE, FINE)),
        (
            "icrl/Pendulum-v0",
            "moderate",
            pairs([0.5, 0.7], [1.3, 1.5]) | pairs([1.3, 1.5], [0.5, 0.7]),
        ),
        (
            "icrl/Pendulum-v0",
            "extreme",
            pairs([0.2, 0.4], [1.6, 1.8]) | pairs([1.6, 1.8], [0.2, 0.4]),
        ),
    ],
)
def test_tasks_are_the_papers(id, split, expected):
    assert listed(id, split) == expected


@pytest.mark.parametrize("id", NAMES)
def test_the_test_is_moderate_and_extreme_together(id):
    assert listed(id, "test") == listed(id, "moderate") | listed(id, "extreme")


@pytest.mark.parametrize("id", NAMES)
def test_a_single_environment_plays_a_split(id):
    """A new task in each episode, as training draws them."""
    env = gymnasium.make(id, split="extreme", episodes_per_task=1)
    played = set()
    for seed in [0] + [None] * 60:
        given = env.reset(seed=seed)[1]["task"]
        played.add(tuple(round(float(given[name]), 3) for name in NAMES[id]))
    assert played == listed(id, "extreme")


# What is earned


@pytest.mark.parametrize("split", CartPole.splits)
def test_one_rule_keeps_up_every_pole(split):
    family = icrl.make_family("icrl/CartPole-v0")
    tasks = family.sample_tasks(family.num_tasks[split], split=split, seed=0)
    env = family.vector_env(tasks, num_envs=10 * len(tasks))
    policy = family.oracle(tasks)
    played = icrl.evaluate(policy, env, episodes=1, seed=3, allow_training_tasks=True)
    assert (played.returns == 200).all()
    assert family.optimal_return(tasks).tolist() == [200.0] * len(tasks)


@pytest.mark.parametrize(
    ("id", "split", "random"),
    [
        ("icrl/CartPole-v0", "train", 22.6),
        ("icrl/CartPole-v0", "moderate", 22.8),
        ("icrl/CartPole-v0", "extreme", 21.7),
        ("icrl/Pendulum-v0", "train", -1673),
        ("icrl/Pendulum-v0", "moderate", -1654),
        ("icrl/Pendulum-v0", "extreme", -1653),
    ],
)
def test_random_returns_are_those_of_the_datasheet(id, split, random):
    family = icrl.make_family(id)
    tasks = family.sample_tasks(family.num_tasks[split], split=split, seed=0)
    assert family.random_return(tasks).mean().item() == pytest.approx(random, rel=0.01)


# Pictures


def drawn(kind, observation, action, **numbers):
    """A picture after one step into an observation."""
    seen = of(observation, observation)
    return kind().render(
        {n: np.float32(v) for n, v in numbers.items()}, Episode(seen, action, of(0.0))
    )


def test_the_onlooker_sees_how_long_and_heavy_a_pendulum_is():
    """Level to the left: 95 pixels a metre from the hinge in the middle of 380."""
    level = [0.0, 1.0, 0.0]
    picture = drawn(Pendulum, level, of([0.0]), mass=1.0, length=1.5)
    for column, colour in ((190 - 142, GOLD), (190 - 100, AGENT)):
        assert np.abs(picture[190, column].astype(int) - colour).max() <= 12
    heavy = drawn(Pendulum, level, of([0.0]), mass=1.8, length=1.5)
    assert (heavy[:, :, 0] > 230).sum() > (picture[:, :, 0] > 230).sum()


def test_the_onlooker_sees_how_long_a_pole_and_how_strong_a_push_is():
    """The pole's tip is 176 pixels a metre of half its length above the cart."""
    upright, right = [0.0, 0.0, 0.0, 0.0], torch.tensor([1])
    long = drawn(CartPole, upright, right, force=10.0, length=0.8)
    short = drawn(CartPole, upright, right, force=10.0, length=0.2)
    assert np.abs(long[60, 240].astype(int) - GOLD).max() <= 12
    assert np.abs(short[60, 240].astype(int) - GOLD).max() > 100
    strong = drawn(CartPole, upright, right, force=18.0, length=0.8)
    assert (strong[186] != long[186]).any() and np.array_equal(strong[:170], long[:170])


# Refusals


@pytest.mark.parametrize("kind", [CartPole, Pendulum])
@pytest.mark.parametrize("name", ["horizon", "trial_episodes"])
def test_counts_that_are_none_are_refused(kind, name):
    with pytest.raises(ConfigError, match=f"{name}=0: expected a whole number, 1 or more"):
        kind(**{name: 0})


@pytest.mark.parametrize("id", NAMES)
def test_an_unknown_split_is_refused_with_those_that_there_are(id):
    with pytest.raises(SplitError, match=r"'hard'\. It has: train, test, moderate, extreme"):
        gymnasium.make(id, split="hard")


@pytest.mark.parametrize("id", NAMES)
def test_more_tasks_than_the_paper_lists_are_refused(id):
    with pytest.raises(TaskError, match=r"9 tasks asked of .* it has 8 distinct"):
        icrl.make_family(id).sample_tasks(9, split="extreme", seed=0)
