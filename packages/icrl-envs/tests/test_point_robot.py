"""Point Robot: the contract; a few moves by hand; what it states, and what it refuses."""

import math

import gymnasium
import numpy as np
import pytest
import torch

import icrl_envs  # noqa: F401 (registers the ids)
from icrl.errors import ConfigError, TaskError
from icrl.families import Episode
from icrl.plugins.families import family_of
from icrl.tasks import Tasks
from icrl.testing.families import FamilyContract
from icrl_envs.drawing import AGENT, FLOOR, GOLD
from icrl_envs.plane_walks import walk_density
from icrl_envs.plugin import icrl_families
from icrl_envs.point_robot import PointRobot

SPECS = {spec.id: spec for spec in icrl_families()}


class TestPointRobot(FamilyContract):
    def make_family(self):
        return family_of(SPECS["icrl/PointRobot-v0"], horizon=7)


class TestPointRobotSparse(FamilyContract):
    def make_family(self):
        return family_of(SPECS["icrl/PointRobotSparse-v0"], horizon=13)


class TestPointRobotWithFewTasks(FamilyContract):
    def make_family(self):
        return family_of(
            SPECS["icrl/PointRobot-v0"], horizon=5, num_train_tasks=17, num_test_tasks=3
        )


def played(goal, actions, **arguments):
    """Positions and rewards of a few actions."""
    env = PointRobot(**arguments).single_env()
    env.reset(options={"task": {"goal": np.array(goal, np.float32)}})
    steps = [env.step(np.array(action, np.float32))[:2] for action in actions]
    return [seen.tolist() for seen, _ in steps], [reward for _, reward in steps]


def with_goals(family, *goals):
    return Tasks(family.id, family.arguments, "given", {"goal": torch.tensor(goals)})


# Stories


def test_a_step_moves_the_point_and_costs_the_distance_that_is_left():
    seen, rewards = played([0.4, 0.3], [[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    assert np.allclose(seen, [[0.1, 0.0], [0.1, 0.1], [0.0, 0.0]])
    assert np.allclose(rewards, [-math.sqrt(0.18), -math.sqrt(0.13), -0.5])


def test_a_move_beyond_the_bounds_is_clipped_along_each_axis():
    family = PointRobot()
    env = family.vector_env(family.sample_tasks(2, seed=0))
    env.reset(seed=0)
    moved = env.step(torch.tensor([[5.0, -0.5], [-1.0, -7.0]]))[0]
    assert torch.allclose(moved, torch.tensor([[0.1, -0.05], [-0.1, -0.1]]))


def test_the_sparse_robot_is_paid_within_the_radius_only():
    _, rewards = played([0.3, 0.0], [[0.5, 0.0], [1.0, 0.0], [1.0, 0.0]], goal_radius=0.2)
    assert np.allclose(rewards, [0.0, 0.85, 0.95])


def test_twenty_steps_end_an_episode_by_truncation():
    env = PointRobot().single_env()
    env.reset(seed=0)
    ends = [env.step(np.zeros(2, np.float32))[2:4] for _ in range(20)]
    assert ends == [(False, False)] * 19 + [(False, True)]


@pytest.mark.parametrize(
    ("goals", "low", "high"),
    [("square", (-1, -1), (1, 1)), ("unit-square", (0, 0), (1, 1)), ("half-circle", (-1, 0), 1)],
)
def test_goals_fill_the_place_that_they_are_drawn_from(goals, low, high):
    drawn = PointRobot(goals=goals).sample_tasks(4000, seed=0).arrays["goal"]
    assert torch.allclose(drawn.amin(0), torch.tensor(low).float(), atol=0.01)
    assert torch.allclose(drawn.amax(0), torch.tensor(high).float(), atol=0.01)


def test_goals_of_the_half_circle_lie_on_it():
    drawn = PointRobot(goals="half-circle").sample_tasks(50, seed=0).arrays["goal"]
    assert torch.allclose(drawn.norm(dim=1), torch.ones(50))


def test_a_finite_split_is_the_familys_own():
    family = PointRobot(num_train_tasks=45, num_test_tasks=5)
    first, again = (family.sample_tasks(5, split="test", seed=s).arrays["goal"] for s in (0, 1))
    assert {tuple(g) for g in first.tolist()} == {tuple(g) for g in again.tolist()}


# What it states


def test_the_optimum_moves_along_both_axes_at_once():
    """To (0.25, 0.1) in steps of 0.1: left over are (.15, 0), (.05, 0), and nothing."""
    family = PointRobot(horizon=3)
    assert family.optimal_return(with_goals(family, [0.25, -0.1])).item() == pytest.approx(-0.2)


def test_the_sparse_optimum_is_paid_once_the_goal_is_near():
    family = PointRobot(horizon=3, goal_radius=0.1)
    assert family.optimal_return(with_goals(family, [0.25, -0.1])).item() == pytest.approx(1.95)


@pytest.mark.parametrize(
    "arguments", [{}, {"goal_radius": 0.2}, {"goal_radius": 0.2, "goals": "half-circle"}]
)
def test_the_random_return_is_that_of_simulated_walks(arguments):
    family = PointRobot(**arguments)
    tasks = family.sample_tasks(23, seed=1)
    generator = torch.Generator().manual_seed(0)
    walks = torch.rand(8000, 20, 2, generator=generator, dtype=torch.float64)
    distance = (
        ((0.2 * walks - 0.1).cumsum(1)[:, None] - tasks.arrays["goal"].double()[:, None])
        .norm(dim=-1)
    )  # fmt: skip
    radius = arguments.get("goal_radius")
    paid = -distance if radius is None else (1 - distance) * (distance <= radius)
    of_walk = paid.sum(2).mean(1)
    stated = family.random_return(tasks).double().mean()
    assert (of_walk.mean() - stated).abs() < 4 * of_walk.std() / 8000**0.5 + 1e-3


@pytest.mark.parametrize("steps", [1, 2, 5, 60])
def test_the_density_of_a_walk_has_its_mass_and_variance(steps):
    at = torch.linspace(-0.1 * steps, 0.1 * steps, 20_001, dtype=torch.float64)
    density = walk_density(at, 0.1, steps)
    spacing = at[1] - at[0]
    assert (density.sum() * spacing).item() == pytest.approx(1, abs=1e-3)
    assert (density * at**2).sum() * spacing == pytest.approx(steps * 0.01 / 3, rel=1e-3)


@pytest.mark.parametrize(
    ("id", "optimum", "random"),
    [("icrl/PointRobot-v0", -2.38, -15.9), ("icrl/PointRobotSparse-v0", 13.38, 0.00087)],
)
def test_mean_returns_are_those_of_the_datasheet(id, optimum, random):
    family = family_of(SPECS[id])
    tasks = family.sample_tasks(4000, seed=0)
    assert family.optimal_return(tasks).mean().item() == pytest.approx(optimum, rel=0.02)
    assert family.random_return(tasks[:1000]).mean().item() == pytest.approx(random, rel=0.03)


# Pictures


def test_the_onlooker_sees_goal_and_point():
    walk = torch.tensor([[0.0, 0.0], [-0.5, 0.5]])
    task = {"goal": np.array([1.0, -1.0], np.float32)}
    picture = PointRobot().render(task, Episode(walk, torch.zeros(1, 2), torch.zeros(1)))
    scale = 360 / 2.6
    for (x, y), colour in (((1, -1), GOLD), ((-0.5, 0.5), AGENT), ((-0.75, -0.75), FLOOR)):
        pixel = picture[round(190 - y * scale), round(190 + x * scale)].astype(int)
        assert np.abs(pixel - colour).max() <= 12


def test_the_sparse_goals_radius_is_drawn():
    episode = Episode(torch.zeros(1, 2), torch.zeros(0, 2), torch.zeros(0))
    task = {"goal": np.zeros(2, np.float32)}
    dense, sparse = (PointRobot(goal_radius=r).render(task, episode) for r in (None, 0.8))
    at = round(190 + 0.8 * 360 / 2.6 * math.sqrt(0.5))
    assert (
        np.abs(sparse[at, at].astype(int) - GOLD).sum()
        < np.abs(dense[at, at].astype(int) - GOLD).sum()
    )


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"goals": "circle"}, "goals='circle': expected one of square, unit-square, half-circle"),
        ({"goal_radius": 0.0}, "goal_radius=0.0"),
        ({"goal_radius": -0.2}, "goal_radius=-0.2"),
        ({"horizon": 0}, "horizon=0: expected"),
        ({"num_test_tasks": 0}, "num_test_tasks=0"),
        ({"split_seed": -1}, "split_seed=-1"),
        ({"trial_episodes": 0}, "trial_episodes=0"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        PointRobot(**arguments)


def test_a_goal_outside_the_square_is_refused():
    with pytest.raises(TaskError, match="goal"):
        PointRobot().single_env().reset(options={"task": {"goal": [2.0, 0.0]}})


def test_gymnasium_hands_keywords_on():
    env = gymnasium.make("icrl/PointRobotSparse-v0", goals="square")
    assert env.unwrapped.family.arguments["goal_radius"] == 0.2
