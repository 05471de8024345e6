"""How CartPole and Pendulum move: as Gymnasium's, and by hand."""

from math import cos, pi, sin

import gymnasium
import numpy as np
import pytest
import torch

import icrl
from icrl.families import DynamicsView
from icrl_envs.cart_pole import CartPole
from icrl_envs.pendulum import Pendulum

CART, ROD = {"force": 10.0, "length": 0.5}, {"mass": 1.0, "length": 1.0}
"""What Gymnasium's own are made of."""


def of(*values):
    return torch.tensor(values, dtype=torch.float32)


def task(**numbers):
    """One task as the rows of a batch have it."""
    return {name: of(number) for name, number in numbers.items()}


# Agreement with Gymnasium


def test_an_ordinary_cart_moves_as_gymnasiums():
    """From 300 states all over, the failing ones included."""
    family, theirs = CartPole(), gymnasium.make("CartPole-v1").unwrapped
    theirs.reset(seed=0)
    random = np.random.default_rng(0)
    ends = 0
    for _ in range(300):
        theirs.state = random.uniform(-1, 1, 4) * [2.5, 3, 0.25, 3]
        theirs.steps_beyond_terminated = None
        ours, action = of(*theirs.state)[None], int(random.integers(2))
        observation, reward, terminated, *_ = theirs.step(action)
        done = family.transition(ours, torch.tensor([action]), task(**CART), torch.Generator())
        np.testing.assert_allclose(done.state[0], observation, atol=1e-6)
        assert (done.reward.item(), done.terminated.item()) == (reward, terminated)
        ends += terminated
    assert 30 < ends < 270


def test_an_ordinary_pendulum_moves_as_gymnasiums():
    """From 300 states all over, with torques beyond the motor's; the reward but for the torque."""
    family, theirs = Pendulum(), gymnasium.make("Pendulum-v1").unwrapped
    theirs.reset(seed=0)
    random = np.random.default_rng(0)
    ordinary = task(**ROD)
    for _ in range(300):
        angle, speed = theirs.state = random.uniform(-1, 1, 2) * [2 * pi, 8]
        torque = random.uniform(-3, 3, 1).astype(np.float32)
        observation, reward, *_ = theirs.step(torque)
        opened = {"angle": of((angle + pi) % (2 * pi) - pi), "speed": of(speed)}
        done = family.transition(opened, torch.tensor(torque)[None], ordinary, torch.Generator())
        np.testing.assert_allclose(
            family.observation(done.state, ordinary)[0], observation, atol=2e-6
        )
        cheaper = 0.75 * 0.001 * float(np.clip(torque, -2, 2)[0]) ** 2
        assert done.reward.item() == pytest.approx(reward + cheaper, rel=1e-5)


@pytest.mark.parametrize(
    ("id", "theirs"), [("icrl/CartPole-v0", "CartPole-v1"), ("icrl/Pendulum-v0", "Pendulum-v1")]
)
def test_the_spaces_are_gymnasiums(id, theirs):
    family, env = icrl.make_family(id), gymnasium.make(theirs)
    assert family.action_space == env.action_space
    assert family.observation_space == env.observation_space


# By hand


def test_a_push_moves_a_resting_pole():
    """Force 5.5 on 1.1 kg is 5 m/s²; the pole of half length 0.4 turns back at
    5 / (0.4 (4/3 - 1/11)) = 10.061 rad/s², which gives the cart 10.061 * 0.4/11 = 0.366 m/s² more.
    """
    done = CartPole().transition(
        torch.zeros(1, 4), torch.tensor([1]), task(force=5.5, length=0.4), torch.Generator()
    )
    turned = 5 / (0.4 * (4 / 3 - 1 / 11))
    by_hand = [0, 0.02 * (5 + turned * 0.4 / 11), 0, -0.02 * turned]
    np.testing.assert_allclose(done.state[0], by_hand, rtol=1e-5)


def test_a_cart_is_pushed_to_the_left_by_action_0():
    left, right = (
        CartPole().transition(
            torch.zeros(1, 4), torch.tensor([way]), task(force=3.0, length=0.3), torch.Generator()
        )
        for way in (0, 1)
    )
    assert torch.equal(left.state, -right.state)


def test_a_torque_lifts_a_level_pendulum_the_less_the_heavier_it_is():
    """Level, still, 2 kg and 0.5 m, torque 1: (15 / 0.5 + 3 / (2 * 0.25)) * 0.05 = 1.8 rad/s; which
    then moves the angle by 0.09.
    """
    opened = {"angle": of(pi / 2), "speed": of(0.0)}
    done = Pendulum().transition(opened, of([1.0]), task(mass=2.0, length=0.5), torch.Generator())
    assert done.state["speed"].item() == pytest.approx(1.8)
    assert done.state["angle"].item() == pytest.approx(pi / 2 + 0.09)
    assert done.reward.item() == pytest.approx(-(pi**2 / 4 + 0.001 * 0.25))


def test_the_speed_limit_holds_before_the_angle_moves():
    """As in Gymnasium; the original moved the angle first."""
    opened = {"angle": of(0.0), "speed": of(8.0)}
    done = Pendulum().transition(opened, of([2.0]), task(mass=0.2, length=0.4), torch.Generator())
    assert done.state["speed"].item() == 8
    assert done.state["angle"].item() == pytest.approx(0.4)


def test_a_turning_pendulum_is_paid_by_the_shorter_way_up():
    """From 3 rad at 8 rad/s to 3.4 rad, which is 2.883 rad on the other side."""
    family, opened = Pendulum(), {"angle": of(3.0), "speed": of(8.0)}
    ordinary = task(**ROD)
    there = family.transition(opened, of([2.0]), ordinary, torch.Generator()).state
    paid = family.transition(there, of([0.0]), ordinary, torch.Generator()).reward
    assert paid.item() == pytest.approx(-((2 * pi - 3.4) ** 2 + 6.4), rel=1e-5)


def test_planners_are_paid_as_who_acts():
    reward, ended = Pendulum().reward_and_termination(
        of([[cos(2.0), sin(2.0), -3.0]]), of([[5.0]]), of([[1.0, 0.0, 0.0]])
    )
    assert reward.shape == ended.shape == (1, 1)
    assert reward.item() == pytest.approx(-(4 + 0.9 + 0.001))
    assert not ended.any()


def test_planners_are_told_where_a_pole_has_fallen():
    """Which ends their reward, too; the step that fails pays, as in Gymnasium."""
    after = of([2.5, 0, 0, 0], [-2.5, 0, 0, 0], [0, 0, 0.21, 0], [0, 0, -0.21, 0], [2.3, 9, 0.2, 9])
    reward, ended = CartPole().reward_and_termination(
        torch.zeros(5, 4), torch.zeros(5, dtype=torch.int64), after
    )
    assert ended.tolist() == [True, True, True, True, False]
    assert reward.tolist() == [1.0] * 5


def test_the_originals_planner_is_paid_on_after_a_pole_has_fallen():
    """One off for each bound that is violated, and again 1 where the pole comes back up."""
    after = of([2.3, 9, 0.2, 9], [2.5, 0, 0, 0], [0, 0, -0.21, 0], [-2.5, 0, 0.21, 0], [0, 0, 0, 0])
    reward, ended = CartPole(planner_reward="cadm-2020").reward_and_termination(
        torch.zeros(5, 4), torch.zeros(5, dtype=torch.int64), after
    )
    assert reward.tolist() == [1, 0, 0, -1, 1]
    assert not ended.any()


def test_an_imagined_pole_that_is_nowhere_has_fallen():
    _, ended = CartPole().reward_and_termination(
        torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64), of([0, 0, torch.nan, 0])
    )
    assert ended.tolist() == [True]


@pytest.mark.parametrize("kind", [CartPole, Pendulum])
def test_models_are_shown_what_is_observed(kind):
    """The original's processing: nothing, and differences, which need no view."""
    assert not issubclass(kind, DynamicsView)


def test_openings_hang_nearly_still():
    family = icrl.make_family("icrl/Pendulum-v0")
    env = family.vector_env(family.sample_tasks(1, seed=0), num_envs=3000)
    cosine, sine, speed = env.reset(seed=0)[0].unbind(1)
    away = torch.atan2(-sine, -cosine).abs()
    assert 0.99 * pi / 8 < away.max() <= pi / 8 + 1e-5 and away.mean() == pytest.approx(
        pi / 16, rel=0.05
    )
    assert 0.198 < speed.abs().max() <= 0.2


def test_openings_stand_nearly_still():
    family = icrl.make_family("icrl/CartPole-v0")
    env = family.vector_env(family.sample_tasks(1, seed=0), num_envs=3000)
    opening = env.reset(seed=0)[0]
    assert opening.abs().max() <= 0.05
    assert opening.amin(0).max() < -0.049 and opening.amax(0).min() > 0.049
