"""Control tasks on MuJoCo: the contract, rewards and physics by hand, splits, pictures."""

import os
import subprocess
import sys
from math import cos, pi, sin

import gymnasium
import mujoco
import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, TaskError
from icrl.families import RewardModel
from icrl.testing import FamilyContract

IDS = {
    "icrl/HalfCheetahVel-v0": 17,
    "icrl/HalfCheetahDir-v0": 17,
    "icrl/AntDir-v0": 27,
    "icrl/HopperParam-v0": 11,
    "icrl/WalkerParam-v0": 17,
}


pytestmark = pytest.mark.filterwarnings("ignore:.*A Box observation space m.*infinity")
"""Gymnasium's own bounds: none."""


class ControlContract(FamilyContract):
    id = ""

    def make_family(self):
        return icrl.make_family(self.id, horizon=7)


class TestHalfCheetahVel(ControlContract):
    id = "icrl/HalfCheetahVel-v0"


class TestHalfCheetahDir(ControlContract):
    first_observation_shows_task = True  # the seed alone, which is mixed into the opening's
    id = "icrl/HalfCheetahDir-v0"


class TestAntDir(ControlContract):
    id = "icrl/AntDir-v0"


class TestHopperParam(ControlContract):
    id = "icrl/HopperParam-v0"


class TestWalkerParam(ControlContract):
    id = "icrl/WalkerParam-v0"


@pytest.mark.parametrize(("id", "size"), IDS.items())
def test_a_family_is_what_its_datasheet_says(id, size):
    family = icrl.make_family(id)
    assert family.observation_space.shape == (size,)
    assert family.max_episode_steps == 200
    assert not isinstance(family, RewardModel)  # places and forces are not observed
    tasks = family.sample_tasks(3, seed=0)
    assert family.optimal_return(tasks) is None and family.random_return(tasks) is None


def played(id, task, actions, **arguments):
    """Rewards and observations of one episode of ours."""
    env = icrl.make_family(id, **arguments).single_env()
    observation, _ = env.reset(seed=3, options={"task": task})
    steps = [env.step(action) for action in actions]
    assert not any(terminated for _, _, terminated, _, _ in steps)
    return observation, [reward for _, reward, *_ in steps], steps[-1][0]


def bare(id, opening, actions, skipped, **arguments):
    """The same episode of Gymnasium's own environment: place and speed at each step."""
    env = gymnasium.make(id, **arguments).unwrapped
    env.reset(seed=0)
    mujoco.mj_resetData(env.model, env.data)
    size = env.model.nq - skipped
    env.set_state(np.r_[np.zeros(skipped), opening[:size]], opening[size : size + env.model.nv])

    def place():
        """Gymnasium measures an ant's way by its torso, which lags a substep behind."""
        return (env.data.body(1).xpos if id == "Ant-v5" else env.data.qpos)[:2].copy()

    places = [place()]
    forces = []
    for action in actions:
        observation = env.step(action)[0]
        places.append(place())
        forces.append(np.square(np.clip(env.data.cfrc_ext, -1, 1)).sum())
    return np.diff(places, axis=0) / env.dt, forces, observation


def actions(size, steps=6):
    return np.random.default_rng(0).uniform(-1, 1, (steps, size)).astype(np.float32)


def test_nearness_to_the_wanted_speed_pays():
    taken = actions(6)
    opening, rewards, last = played("icrl/HalfCheetahVel-v0", {"velocity": 1.7}, taken)
    speeds, _, expected = bare("HalfCheetah-v5", opening, taken, 1)
    np.testing.assert_allclose(last, expected, atol=1e-6)
    by_hand = -np.abs(speeds[:, 0] - 1.7) - 0.05 * np.square(taken).sum(1)
    np.testing.assert_allclose(rewards, by_hand, atol=1e-5)


@pytest.mark.parametrize(("forward", "sign"), [(1, 1), (0, -1)])
def test_speed_in_the_wanted_direction_pays(forward, sign):
    taken = actions(6)
    task = {"forward": forward, "seed": 5}
    opening, rewards, _ = played("icrl/HalfCheetahDir-v0", task, taken)
    speeds, _, _ = bare("HalfCheetah-v5", opening, taken, 1)
    by_hand = sign * speeds[:, 0] - 0.05 * np.square(taken).sum(1)
    np.testing.assert_allclose(rewards, by_hand, atol=1e-5)


def test_speed_along_the_angle_pays():
    taken = actions(8)
    opening, rewards, last = played("icrl/AntDir-v0", {"angle": 4.0}, taken)
    speeds, forces, expected = bare("Ant-v5", opening, taken, 2)
    np.testing.assert_allclose(last, expected[: len(last)], atol=1e-5)  # then come contact forces
    costs = 0.5 * np.square(taken).sum(1) + 0.0005 * np.array(forces)
    np.testing.assert_allclose(rewards, speeds @ [cos(4), sin(4)] + 1 - costs, atol=1e-5)


@pytest.mark.parametrize(
    ("id", "simulator"),
    [("icrl/HopperParam-v0", "Hopper-v5"), ("icrl/WalkerParam-v0", "Walker2d-v5")],
)
def test_an_unchanged_body_moves_as_gymnasiums(id, simulator):
    family = icrl.make_family(id)
    taken = actions(*family.action_space.shape)
    task = {name: np.ones(space.shape) for name, space in family.task_space.spaces.items()}
    opening, rewards, last = played(id, task, taken)
    speeds, _, expected = bare(simulator, opening, taken, 1, terminate_when_unhealthy=False)
    np.testing.assert_allclose(last, expected, atol=1e-6)
    by_hand = speeds[:, 0] + 1 - 0.001 * np.square(taken).sum(1)
    np.testing.assert_allclose(rewards, by_hand, atol=1e-5)


@pytest.mark.parametrize("id", ["icrl/HopperParam-v0", "icrl/WalkerParam-v0"])
def test_a_task_changes_the_body_from_what_it_ordinarily_is(id):
    """Not from what the last task made of it; what follows from masses follows."""
    family = icrl.make_family(id)
    env = family.make_env()
    model = env.unwrapped.model
    ordinary = {
        name: getattr(model, name).copy()
        for name in ("body_mass", "body_inertia", "dof_damping", "geom_friction")
    }
    tasks = family.sample_tasks(3, seed=0)
    for task in (tasks.row(i) for i in range(3)):
        family.reset_to(env, task, 0)
        np.testing.assert_allclose(model.body_mass[1:], ordinary["body_mass"][1:] * task["mass"])
        np.testing.assert_allclose(
            model.body_inertia[1:], ordinary["body_inertia"][1:] * task["inertia"]
        )
        np.testing.assert_allclose(model.dof_damping, ordinary["dof_damping"] * task["damping"])
        np.testing.assert_allclose(
            model.geom_friction, ordinary["geom_friction"] * task["friction"]
        )
        assert model.body_subtreemass[0] == pytest.approx(model.body_mass.sum())


def test_a_changed_body_moves_otherwise():
    """It is stepped on its own model, not on the one that bodies of its kind could share."""
    taken = actions(3)
    family = icrl.make_family("icrl/HopperParam-v0")
    ordinary = {name: np.ones(space.shape) for name, space in family.task_space.spaces.items()}
    heavy = ordinary | {"mass": np.full(4, 3.0)}
    opened, _, last = played("icrl/HopperParam-v0", ordinary, taken)
    opened_heavy, _, last_heavy = played("icrl/HopperParam-v0", heavy, taken)
    assert np.array_equal(opened, opened_heavy)
    assert np.abs(last - last_heavy).max() > 0.01


def test_factors_are_powers_of_a_uniform_number():
    tasks = icrl.make_family("icrl/HopperParam-v0").sample_tasks(500, seed=0)
    for name, base in {"mass": 1.5, "inertia": 1.5, "damping": 1.3, "friction": 1.5}.items():
        exponents = tasks.arrays[name].log() / np.log(base)
        assert exponents.abs().max() <= 3 + 1e-9
        assert exponents.mean().abs() < 0.1
        assert exponents.std().item() == pytest.approx(3 / 3**0.5, rel=0.05)


def test_a_body_with_less_spread_is_nearer_to_the_ordinary():
    tasks = icrl.make_family("icrl/WalkerParam-v0", spread=0.5).sample_tasks(50, seed=0)
    assert 1.5**0.4 < tasks.arrays["mass"].max() <= 1.5**0.5


def test_a_fall_neither_ends_an_episode_nor_its_bonus():
    """What 199 steps earn: the way, 1 a step, and the cost of the torques."""
    family = icrl.make_family("icrl/HopperParam-v0")
    task = {name: np.ones(space.shape) for name, space in family.task_space.spaces.items()}
    env = family.single_env()
    env.reset(seed=0, options={"task": task})
    simulator = env._simulator.unwrapped
    before = simulator.data.qpos[0]
    steps = [env.step(np.full(3, 0.5, np.float32)) for _ in range(199)]
    assert not simulator.is_healthy
    assert not any(terminated or truncated for _, _, terminated, truncated, _ in steps)
    way = (simulator.data.qpos[0] - before) / simulator.dt
    earned = sum(reward for _, reward, *_ in steps)
    assert earned == pytest.approx(way + 199 - 199 * 0.001 * 0.75, rel=1e-4)


def test_tasks_of_speeds_and_angles_fill_their_range():
    speeds = icrl.make_family("icrl/HalfCheetahVel-v0").sample_tasks(2000, seed=0)
    assert 0.075 <= speeds.arrays["velocity"].min() < 0.1
    assert 2.97 < speeds.arrays["velocity"].max() <= 3
    angles = icrl.make_family("icrl/AntDir-v0").sample_tasks(2000, split="test", seed=0)
    assert angles.arrays["angle"].min() < 0.03 and angles.arrays["angle"].max() > 2 * pi - 0.03


def test_the_range_of_speeds_is_a_keyword():
    family = icrl.make_family("icrl/HalfCheetahVel-v0", velocities=(0, 2))
    drawn = family.sample_tasks(500, seed=0).arrays["velocity"]
    assert 0 <= drawn.min() < 0.05 and 1.95 < drawn.max() <= 2


def test_no_split_draws_a_value_of_another():
    """Also where so many are drawn that chance alone would repeat some."""
    family = icrl.make_family("icrl/AntDir-v0")
    drawn = {
        split: set(family.sample_tasks(100_000, split=split, seed=0).arrays["angle"].tolist())
        for split in family.splits
    }
    assert len(drawn["train"]) == len(drawn["test"]) == 100_000
    assert not drawn["train"] & drawn["test"]


@pytest.mark.parametrize(
    ("id", "name", "arguments"),
    [
        ("icrl/HalfCheetahVel-v0", "velocity", {"velocities": (2.99, 3.0)}),
        ("icrl/AntDir-v0", "angle", {"held_out_arc": 0.01}),
    ],
)
def test_splits_of_a_narrow_range_share_no_value(id, name, arguments):
    """Where float32 has fewer numbers than the lattice has points elsewhere."""
    family = icrl.make_family(id, **arguments)
    drawn = {
        split: set(family.sample_tasks(2000, split=split, seed=0).arrays[name].tolist())
        for split in family.splits
    }
    assert len(drawn["train"]) == len(drawn["test"]) == 2000
    assert not drawn["train"] & drawn["test"]


def test_more_tasks_than_the_lattice_has_are_refused():
    with pytest.raises(TaskError, match="524288"):
        icrl.make_family("icrl/HalfCheetahVel-v0").sample_tasks(524289, seed=0)


def test_a_held_out_arc_is_tested_and_never_trained():
    family = icrl.make_family("icrl/AntDir-v0", held_out_arc=pi / 2)
    trained = family.sample_tasks(500, split="train", seed=0).arrays["angle"]
    tested = family.sample_tasks(500, split="test", seed=0).arrays["angle"]
    assert trained.max() < 1.5 * pi <= tested.min()
    assert trained.min() < 0.1 and tested.max() > 1.95 * pi


def test_directions_alternate_in_both_splits():
    family = icrl.make_family("icrl/HalfCheetahDir-v0")
    for split, odd in (("train", 0), ("test", 1)):
        for seed in range(5):
            tasks = family.sample_tasks(2, split=split, seed=seed)
            assert sorted(tasks.arrays["forward"].tolist()) == [0, 1]
            assert (tasks.arrays["seed"] % 2 == odd).all()


def test_a_directions_seed_is_mixed_into_the_noise():
    env = icrl.make_family("icrl/HalfCheetahDir-v0").single_env()
    opened = [
        env.reset(seed=1, options={"task": {"forward": 1, "seed": seed}})[0] for seed in (5, 5, 6)
    ]
    assert np.array_equal(opened[0], opened[1])
    assert not np.array_equal(opened[0], opened[2])


def test_a_finite_split_has_fixed_tasks():
    family = icrl.make_family("icrl/AntDir-v0", num_train_tasks=45, num_test_tasks=5)
    drawn = [
        set(family.sample_tasks(5, split="test", seed=s).arrays["angle"].tolist()) for s in (0, 1)
    ]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 5
    with pytest.raises(TaskError, match="5 distinct tasks"):
        family.sample_tasks(6, split="test", seed=0)


def test_workers_change_nothing():
    family = icrl.make_family("icrl/HopperParam-v0", horizon=5)
    tasks = family.sample_tasks(4, seed=3)
    envs = [family.vector_env(tasks, workers=workers) for workers in (0, 2)]
    shown = [env.reset(seed=0)[0] for env in envs]
    for _ in range(12):
        assert torch.equal(*shown)
        shown = [env.step(torch.full((4, 3), 0.3))[0] for env in envs]
    for env in envs:
        env.close()


@pytest.mark.parametrize("id", IDS)
def test_a_picture_shows_the_task(id):
    """Two tasks are drawn differently although the same was observed."""
    env = gymnasium.make(id, render_mode="rgb_array")
    tasks = env.unwrapped.family.sample_tasks(2, seed=0)
    pictures = []
    for i in range(2):
        observation, _ = env.reset(seed=0, options={"task": tasks.row(i)})
        episode = icrl.families.Episode(
            torch.zeros(2, *observation.shape), torch.zeros(1), torch.zeros(1)
        )
        pictures.append(env.unwrapped.family.render(tasks.row(i), episode))
    assert not np.array_equal(*pictures)
    assert pictures[0].shape == (350, 480, 3)


def test_nothing_is_littered(tmp_path):
    """MuJoCo would write MUJOCO_LOG.TXT where it warns of old models or unstable bodies."""
    script = """
import gymnasium, numpy as np, icrl_envs
for id in ("icrl/HalfCheetahVel-v0", "icrl/HopperParam-v0"):
    env = gymnasium.make(id)
    env.reset(seed=0)
    env.unwrapped._simulator.unwrapped.data.qvel[:] = 1e12
    env.step(np.zeros(env.action_space.shape, np.float32))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("id", "arguments", "message"),
    [
        ("icrl/HalfCheetahVel-v0", {"velocities": (2, 1)}, "velocities"),
        ("icrl/HalfCheetahVel-v0", {"velocities": (3, 3.0000001)}, "no two tasks between 3.0"),
        ("icrl/HalfCheetahVel-v0", {"horizon": -1}, "horizon=-1"),
        ("icrl/HalfCheetahDir-v0", {"horizon": 0}, "horizon=0"),
        ("icrl/HalfCheetahDir-v0", {"num_test_tasks": 0}, "num_test_tasks=0"),
        ("icrl/AntDir-v0", {"held_out_arc": 7.0}, "held_out_arc"),
        ("icrl/AntDir-v0", {"held_out_arc": 1e-7}, "no two tasks"),
        ("icrl/AntDir-v0", {"num_train_tasks": -5}, "num_train_tasks=-5"),
        ("icrl/HopperParam-v0", {"spread": 0.0}, "spread"),
        ("icrl/WalkerParam-v0", {"split_seed": -1}, "split_seed=-1"),
        ("icrl/WalkerParam-v0", {"trial_episodes": 0}, "trial_episodes=0"),
    ],
)
def test_bad_arguments_are_refused_when_the_family_is_made(id, arguments, message):
    with pytest.raises(ConfigError, match=message):
        icrl.make_family(id, **arguments)
