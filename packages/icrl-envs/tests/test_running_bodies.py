"""Running bodies: the contract, lists, rewards and physics by hand."""

from itertools import islice, product

import gymnasium
import mujoco
import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, SplitError, TaskError
from icrl.families import Episode
from icrl.interaction import play
from icrl.random_agent import RandomPolicy
from icrl.testing import FamilyContract

NUMBERS = {"HalfCheetah": 18, "CrippledHalfCheetah": 18, "Ant": 28, "SlimHumanoid": 45}
WEIGHED = ("HalfCheetah", "Ant", "SlimHumanoid")
USUAL = {
    "HalfCheetah": {"mass": 1.0, "damping": 1.0},
    "CrippledHalfCheetah": {"crippled": [0] * 6},
    "Ant": {"mass": 1.0},
    "SlimHumanoid": {"mass": 1.0, "damping": 1.0},
}

pytestmark = pytest.mark.filterwarnings("ignore:.*A Box observation space m.*infinity")
"""Gymnasium's own bounds: none."""


def family_of(name, **arguments):
    return icrl.make_family(f"icrl/{name}-v0", **arguments)


class TestHalfCheetah(FamilyContract):
    def make_family(self):
        return family_of("HalfCheetah", horizon=7)


class TestConsistentHalfCheetah(FamilyContract):
    def make_family(self):
        return family_of("HalfCheetah", horizon=7, physics="consistent")


class TestAnt(FamilyContract):
    def make_family(self):
        return family_of("Ant", horizon=7)


class TestSlimHumanoid(FamilyContract):
    def make_family(self):
        return family_of("SlimHumanoid", horizon=7)


class TestCrippledHalfCheetah(FamilyContract):
    def make_family(self):
        return family_of("CrippledHalfCheetah", horizon=7)

    def test_a_planners_reward_is_the_environments(self):
        """But for what a crippled joint was told to do, which planners expect to be charged."""
        family = self.make_family()
        tasks = family.sample_tasks(4, seed=0)
        env = family.vector_env(tasks)
        gaps = []
        steps = play(RandomPolicy(family.action_space, "cpu"), env, seed=0)
        for step in islice(steps, 14):
            told, terminated = family.reward_and_termination(
                step.timestep.observation, step.action, step.following.outcome
            )
            idle = (tasks.arrays["crippled"] * step.action.clamp(-1, 1)).square().sum(1)
            torch.testing.assert_close(step.reward - told, 0.1 * idle, rtol=1e-4, atol=1e-5)
            assert not terminated.any()
            gaps.append(idle)
        assert torch.stack(gaps).max() > 0.5
        env.close()


# What the datasheets say.


@pytest.mark.parametrize(("name", "numbers"), NUMBERS.items())
def test_a_family_is_what_its_datasheet_says(name, numbers):
    family = family_of(name)
    assert family.observation_space.shape == (numbers,)
    assert (family.action_space.low == -1).all() and (family.action_space.high == 1).all()
    assert (family.max_episode_steps, family.trial_episodes) == (1000, 1)
    assert family.splits == ("train", "test", "moderate", "extreme")
    tasks = family.sample_tasks(1, seed=0)
    assert family.optimal_return(tasks) is None and family.random_return(tasks) is None


def square(*factors):
    """Masses and damping of these factors, each with each."""
    return set(product(factors, factors))


LISTS = {
    ("HalfCheetah", "train"): square(0.75, 0.85, 1, 1.15, 1.25),
    ("HalfCheetah", "moderate"): square(0.4, 0.5) | square(1.5, 1.6),
    ("HalfCheetah", "extreme"): square(0.2, 0.3) | square(1.7, 1.8),
    ("SlimHumanoid", "train"): square(0.8, 0.9, 1, 1.15, 1.25),
    ("SlimHumanoid", "moderate"): square(0.6, 0.7) | square(1.5, 1.6),
    ("SlimHumanoid", "extreme"): square(0.4, 0.5) | square(1.7, 1.8),
    ("Ant", "train"): {(0.85,), (0.9,), (0.95,), (1.0,)},
    ("Ant", "moderate"): {(0.4,), (0.45,), (0.5,), (0.55,), (0.6,)},
    ("Ant", "extreme"): {(0.2,), (0.25,), (0.3,), (0.35,), (0.4,)},
    ("CrippledHalfCheetah", "train"): {(0,), (1,), (2,), (3,)},
    ("CrippledHalfCheetah", "moderate"): {(4,), (5,)},
    ("CrippledHalfCheetah", "extreme"): {(4, 5)},
}


def listed(family, split):
    """The numbers of every task of a split; of crippled ones which joints those are."""
    tasks = family.sample_tasks(family.num_tasks[split], split=split, seed=0)
    arrays = tasks.arrays
    if "crippled" in arrays:
        return {tuple(np.flatnonzero(row).tolist()) for row in arrays["crippled"]}
    columns = [
        arrays[name].double().numpy().round(6).tolist()
        for name in ("mass", "damping")[: len(arrays)]
    ]
    return set(zip(*columns, strict=True))


@pytest.mark.parametrize(("name", "split"), LISTS)
def test_a_split_has_the_papers_list(name, split):
    family = family_of(name)
    assert listed(family, split) == LISTS[name, split]
    assert family.num_tasks[split] == len(LISTS[name, split])


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_tested_is_moderate_and_extreme(name):
    assert listed(family_of(name), "test") == LISTS[name, "moderate"] | LISTS[name, "extreme"]


def test_a_single_environment_draws_from_a_named_split():
    env = gymnasium.make("icrl/Ant-v0", split="extreme", episodes_per_task=1)
    drawn = {round(float(env.reset(seed=seed)[1]["task"]["mass"]), 6) for seed in range(12)}
    assert drawn <= {0.2, 0.25, 0.3, 0.35, 0.4} and len(drawn) > 1


# Rewards and observations by hand.


def actions(size, steps=6):
    return np.random.default_rng(0).uniform(-1, 1, (steps, size)).astype(np.float32)


def played(name, task, taken, **arguments):
    """All observations and the rewards of one episode."""
    env = family_of(name, **arguments).single_env()
    seen = [env.reset(seed=3, options={"task": task})[0]]
    rewards = []
    for action in taken:
        observation, reward, terminated, _, _ = env.step(action)
        assert not terminated
        seen.append(observation)
        rewards.append(reward)
    return np.array(seen), np.array(rewards)


def bare(id, opening, taken, skipped, **arguments):
    """The same episode of Gymnasium's own environment: its numbers, and places along x."""
    env = gymnasium.make(id, **arguments).unwrapped
    env.reset(seed=0)
    mujoco.mj_resetData(env.model, env.data)
    size = env.model.nq - skipped
    env.set_state(np.r_[np.zeros(skipped), opening[:size]], opening[size:])

    def place():
        """Gymnasium measures an ant's way by its torso, which lags a substep behind."""
        return (env.data.body(1).xpos if id == "Ant-v5" else env.data.qpos)[0]

    seen, places = [], [place()]
    for action in taken:
        seen.append(env.step(action)[0])
        places.append(place())
    return np.array(seen), np.diff(places) / env.dt


@pytest.mark.parametrize("name", ["HalfCheetah", "CrippledHalfCheetah"])
def test_a_usual_half_cheetah_moves_as_gymnasiums(name):
    taken = actions(6)
    seen, rewards = played(name, USUAL[name], taken)
    expected, speeds = bare("HalfCheetah-v5", seen[0, 1:], taken, 1)
    np.testing.assert_allclose(seen[1:, 1:], expected, atol=1e-6)
    np.testing.assert_allclose(seen[:, 0], [0, *speeds], atol=1e-5)
    np.testing.assert_allclose(rewards, speeds - 0.1 * np.square(taken).sum(1), atol=1e-5)


def test_a_usual_ant_moves_as_gymnasiums():
    taken = actions(8)
    seen, rewards = played("Ant", USUAL["Ant"], taken)
    expected, speeds = bare("Ant-v5", seen[0, 1:], taken, 2, include_cfrc_ext_in_observation=False)
    np.testing.assert_allclose(seen[1:, 1:], expected, atol=1e-5)
    np.testing.assert_allclose(seen[:, 0], [0, *speeds], atol=1e-5)
    by_hand = speeds - 0.005 * np.square(taken).sum(1) + 0.05
    np.testing.assert_allclose(rewards, by_hand, atol=1e-5)


def test_a_usual_humanoid_moves_as_gymnasiums_by_two_fifths_of_an_action():
    taken = actions(17)
    seen, rewards = played("SlimHumanoid", USUAL["SlimHumanoid"], taken)
    slim = {
        f"include_{what}_in_observation": False
        for what in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    }
    expected, _ = bare("Humanoid-v5", seen[0], 0.4 * taken, 2, **slim)
    np.testing.assert_allclose(seen[1:], expected, atol=1e-5)
    by_hand = 0.25 / 0.015 * seen[:-1, 22] - 0.1 * np.square(0.4 * taken).sum(1) + 5
    np.testing.assert_allclose(rewards, by_hand, atol=1e-4)


def test_a_fallen_humanoid_earns_no_bonus_but_goes_on():
    """Motionless actions cost nothing: what is left of a reward is the speed before it."""
    seen, rewards = played("SlimHumanoid", USUAL["SlimHumanoid"], np.zeros((150, 17), np.float32))
    bonus = rewards - 0.25 / 0.015 * seen[:-1, 22]
    alive = (seen[1:, 0] >= 1) & (seen[1:, 0] <= 2)
    assert alive[0] and not alive[-1]
    np.testing.assert_allclose(bonus, 5.0 * alive, atol=1e-3)


@pytest.mark.parametrize("name", ["HalfCheetah", "CrippledHalfCheetah"])
def test_a_half_cheetah_opens_nearly_still(name):
    opened = [family_of(name).single_env().reset(seed=seed)[0] for seed in range(5)]
    assert 0 < np.abs(opened).max() < 0.01


@pytest.mark.parametrize("joint", range(6))
def test_what_a_crippled_joint_is_told_does_nothing(joint):
    """Nor is it charged; in another task it does."""
    taken = actions(6)
    silent = taken.copy()
    silent[:, joint] = 0
    crippled = {"crippled": np.eye(6, dtype=np.int8)[joint]}
    told, left = (played("CrippledHalfCheetah", crippled, given) for given in (taken, silent))
    assert np.array_equal(told[0], left[0]) and np.array_equal(told[1], left[1])
    usual = [
        played("CrippledHalfCheetah", USUAL["CrippledHalfCheetah"], given)[0]
        for given in (taken, silent)
    ]
    assert not np.array_equal(*usual)


# Physics.


def written(name, task, **arguments):
    """The model, before and after it was put into a task."""
    family = family_of(name, **arguments)
    env = family.make_env()
    model = env.unwrapped.model
    fields = ("body_mass", "body_inertia", "dof_damping", "body_invweight0", "body_subtreemass")
    fresh = mujoco.MjModel.from_xml_path(env.unwrapped.fullpath)
    before = {field: getattr(fresh, field).copy() for field in fields}
    # Physics survive a reset: what another task wrote must not be multiplied.
    family.reset_to(env, family.sample_tasks(1, split="extreme", seed=0).row(0), 0)
    family.reset_to(env, {key: np.float32(value) for key, value in task.items()}, 0)
    return before, {field: getattr(model, field).copy() for field in fields}


@pytest.mark.parametrize("name", ["HalfCheetah", "SlimHumanoid"])
def test_the_original_writes_masses_and_damping_alone(name):
    before, after = written(name, {"mass": 2.0, "damping": 0.5})
    np.testing.assert_allclose(after["body_mass"], 2 * before["body_mass"])
    np.testing.assert_allclose(after["dof_damping"], 0.5 * before["dof_damping"])
    for untouched in ("body_inertia", "body_invweight0", "body_subtreemass"):
        assert np.array_equal(after[untouched], before[untouched])


@pytest.mark.parametrize("name", ["HalfCheetah", "SlimHumanoid"])
def test_in_consistent_physics_all_that_follows_from_masses_follows(name):
    before, after = written(name, {"mass": 2.0, "damping": 0.5}, physics="consistent")
    for doubled in ("body_mass", "body_inertia", "body_subtreemass"):
        np.testing.assert_allclose(after[doubled], 2 * before[doubled])
    np.testing.assert_allclose(after["dof_damping"], 0.5 * before["dof_damping"])
    assert after["body_invweight0"][1:].sum() < 0.9 * before["body_invweight0"][1:].sum()


@pytest.mark.parametrize(("physics", "inertia"), [("cadm-2020", 1), ("consistent", 0.25)])
def test_an_ant_has_two_light_and_two_heavy_legs(physics, inertia):
    """World, torso, six parts of left legs, six of right legs."""
    before, after = written("Ant", {"mass": 0.25}, physics=physics)
    factors = np.array([1] * 2 + [0.25] * 6 + [4] * 6)
    np.testing.assert_allclose(after["body_mass"], factors * before["body_mass"])
    np.testing.assert_allclose(after["body_inertia"][2:8], inertia * before["body_inertia"][2:8])
    np.testing.assert_allclose(after["body_inertia"][8:], before["body_inertia"][8:] / inertia)
    assert np.array_equal(after["dof_damping"], before["dof_damping"])


def test_an_ants_light_legs_are_to_the_left_of_its_way():
    """Which leads along x; the file that calls them front legs means no direction by that."""
    env = family_of("Ant").make_env()
    env.reset(seed=0)
    simulator = env.unwrapped
    aside = simulator.data.xipos[2:, 1] - simulator.data.xpos[1, 1]
    assert (aside[:6] > 0).all() and (aside[6:] < 0).all()


@pytest.mark.parametrize("name", WEIGHED)
def test_the_two_physics_are_two_systems(name):
    family = family_of(name)
    taken = actions(family.action_space.shape[0], 40)
    task = family.sample_tasks(1, split="extreme", seed=1).row(0)
    ends = [played(name, task, taken, physics=kind)[0] for kind in ("cadm-2020", "consistent")]
    assert np.array_equal(ends[0][0, 1:], ends[1][0, 1:])
    assert np.abs(ends[0][-1] - ends[1][-1]).max() > 0.01


@pytest.mark.parametrize("name", WEIGHED)
def test_the_two_physics_agree_on_a_usual_body(name):
    taken = actions(family_of(name).action_space.shape[0])
    ends = [
        played(name, USUAL[name], taken, physics=kind)[0] for kind in ("cadm-2020", "consistent")
    ]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_workers_change_nothing(name):
    family = family_of(name, horizon=5)
    tasks = family.sample_tasks(4, seed=3)
    envs = [family.vector_env(tasks, episodes_per_task=1, workers=workers) for workers in (0, 2)]
    shown = [env.reset(seed=0)[0] for env in envs]
    action = torch.full((4, *family.action_space.shape), 0.3)
    for _ in range(12):
        assert torch.equal(*shown)
        shown = [env.step(action)[0] for env in envs]
    for env in envs:
        env.close()


# Pictures and refusals.


@pytest.mark.parametrize("name", NUMBERS)
def test_a_picture_shows_the_task(name):
    family = family_of(name)
    tasks = family.sample_tasks(family.num_tasks["test"], split="test", seed=0)
    posture = torch.zeros(2, NUMBERS[name])
    posture[:, 1] = 1.0
    episode = Episode(posture, torch.zeros(1), torch.zeros(1))
    pictures = [family.render(tasks.row(i), episode) for i in range(len(tasks))]
    assert pictures[0].shape == (350, 480, 3)
    assert len({picture.tobytes() for picture in pictures}) == len(tasks)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "HalfCheetah",
            {"physics": "real"},
            "physics='real', expected .*'cadm-2020', 'consistent'",
        ),
        ("Ant", {"physics": None}, "physics=None"),
        ("SlimHumanoid", {"planner_reward": "true"}, "planner_reward='true'.*'exact', 'cadm-2020'"),
        ("CrippledHalfCheetah", {"planner_reward": 1}, "planner_reward=1"),
        ("CrippledHalfCheetah", {"physics": "consistent"}, "physics"),
        ("Ant", {"horizon": 0}, "horizon=0"),
        ("HalfCheetah", {"trial_episodes": 0}, "trial_episodes=0"),
    ],
)
def test_bad_arguments_are_refused_when_the_family_is_made(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        family_of(name, **arguments)


def test_a_split_that_the_paper_does_not_have_is_refused():
    with pytest.raises(SplitError, match=r"'hard'.* train, test, moderate, extreme"):
        family_of("Ant").sample_tasks(1, split="hard", seed=0)


def test_an_environment_of_a_split_that_the_paper_does_not_have_is_refused():
    with pytest.raises(SplitError, match="'hard'"):
        gymnasium.make("icrl/HalfCheetah-v0", split="hard")


def test_more_tasks_than_a_list_has_are_refused():
    with pytest.raises(TaskError, match="1 distinct task"):
        family_of("CrippledHalfCheetah").sample_tasks(2, split="extreme", seed=0)


def test_a_weightless_body_is_refused():
    with pytest.raises(TaskError, match="mass"):
        family_of("Ant").single_env().reset(options={"task": {"mass": 0.0}})
