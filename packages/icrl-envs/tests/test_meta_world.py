"""Meta-World's benchmarks: the contract, its own environments beside ours, splits, pictures.

Meta-World pins an older MuJoCo than the other tests use, so that this runs in an environment of its
own: `pip install "icrl-envs[metaworld]"`.
"""

import numpy as np
import pytest
import torch

import icrl
from icrl.errors import ConfigError, TaskError
from icrl.families import Episode
from icrl.testing import FamilyContract
from icrl_envs.meta_world import MetaWorldML1, MetaWorldML10, MetaWorldML45, listed

metaworld = pytest.importorskip("metaworld", reason='needs pip install "icrl-envs[metaworld]"')

pytestmark = pytest.mark.filterwarnings("ignore:.*A Box observation space m.*infinity")
"""Meta-World bounds the hand alone, and an opening may lie beyond that."""


class TestOneEnvironment(FamilyContract):
    first_observation_shows_task = True  # where an object lies

    def make_family(self):
        return icrl.make_family("icrl/MetaWorldML1-v0", env="push-v3", horizon=7)


class TestTenEnvironments(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return icrl.make_family("icrl/MetaWorldML10-v0", horizon=7)


def test_the_benchmarks_have_as_many_tasks_as_meta_worlds():
    sizes = {family: family().num_tasks for family in (MetaWorldML1, MetaWorldML10, MetaWorldML45)}
    assert list(sizes.values()) == [
        {"train": 50, "test": 50},
        {"train": 500, "test": 250},
        {"train": 2250, "test": 250},
    ]


def test_the_environments_are_those_of_the_benchmark():
    """Meta-World's own benchmark, which takes seconds to draw its goals."""
    benchmark = metaworld.ML10(seed=0)
    assert listed("ML10") == {
        "train": list(benchmark.train_classes),
        "test": list(benchmark.test_classes),
    }


def test_no_environment_of_a_test_is_trained_in():
    for benchmark in ("ML10", "ML45"):
        names = listed(benchmark)
        assert not set(names["train"]) & set(names["test"])


def test_one_environment_is_tested_with_other_goals():
    family = icrl.make_family("icrl/MetaWorldML1-v0")
    seeds = {
        split: set(family.sample_tasks(50, split=split, seed=0).arrays["seed"].tolist())
        for split in family.splits
    }
    assert len(seeds["train"]) == len(seeds["test"]) == 50
    assert not seeds["train"] & seeds["test"]


def test_tasks_are_spread_evenly_over_environments():
    family = icrl.make_family("icrl/MetaWorldML10-v0")
    for split, first, environments in (("train", 0, 10), ("test", 10, 5)):
        tasks = family.sample_tasks(3 * environments, split=split, seed=4)
        numbers, counts = tasks.arrays["environment"].unique(return_counts=True)
        assert numbers.tolist() == list(range(first, first + environments))
        assert counts.tolist() == [3] * environments


def test_an_episode_is_meta_worlds_own():
    """Its environment with a hidden goal, step for step, and where it says that it succeeded."""
    family = icrl.make_family("icrl/MetaWorldML1-v0", horizon=100)
    task = family.sample_tasks(1, seed=0).row(0)
    env = family.single_env()
    theirs = metaworld.ALL_V3_ENVIRONMENTS_GOAL_HIDDEN["reach-v3-goal-hidden"](
        seed=int(task["seed"])
    )
    observation, _ = env.reset(options={"task": task})
    expected, _ = theirs.reset()
    np.testing.assert_allclose(observation, expected, atol=1e-6)
    assert not observation[-3:].any()
    for action in np.random.default_rng(0).uniform(-1, 1, (20, 4)).astype(np.float32):
        observation, reward, terminated, truncated, info = env.step(action)
        expected, paid, *_, told = theirs.step(action)
        np.testing.assert_allclose(observation, expected, atol=1e-6)
        assert (reward, info["success"]) == (pytest.approx(paid), bool(told["success"]))
        assert not terminated and not truncated


def test_reaching_the_goal_is_success():
    """An onlooker who sees the goal moves the hand there; the episode goes on until its horizon."""
    env = icrl.make_family("icrl/MetaWorldML1-v0", horizon=120).single_env()
    observation, info = env.reset(seed=5)
    goal = goal_seen(info["task"])
    succeeded = []
    for _ in range(120):
        move = np.clip(10 * (goal - observation[:3]), -1, 1)
        observation, reward, terminated, truncated, info = env.step(
            np.r_[move, 0].astype(np.float32)
        )
        succeeded.append(info["success"])
        assert not terminated and truncated == (len(succeeded) == 120)
    assert not succeeded[0] and succeeded[-1]
    assert reward > 9


def goal_seen(task):
    """Where the twin that shows its goal sees it."""
    twin = metaworld.ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE["reach-v3-goal-observable"](
        seed=int(task["seed"])
    )
    return twin.reset()[0][-3:]


def test_a_row_goes_from_one_environment_to_another():
    family = icrl.make_family("icrl/MetaWorldML10-v0", horizon=3)
    tasks = family.sample_tasks(4, seed=0)
    env = family.vector_env(tasks, num_envs=2, episodes_per_task=1, workers=0)
    env.reset(seed=0)
    played = set()
    for _ in range(24):
        env.step(torch.zeros(2, 4))
        played |= set(env.tasks.arrays["environment"].tolist())
    assert len(played) == 4


def test_workers_change_nothing():
    family = icrl.make_family("icrl/MetaWorldML1-v0", horizon=5)
    tasks = family.sample_tasks(4, seed=3)
    envs = [family.vector_env(tasks, workers=workers) for workers in (0, 2)]
    shown = [env.reset(seed=0)[0] for env in envs]
    for _ in range(12):
        assert torch.equal(*shown)
        shown = [env.step(torch.full((4, 4), 0.3))[0] for env in envs]
    for env in envs:
        env.close()


def test_numpys_global_generator_is_left_alone():
    family = icrl.make_family("icrl/MetaWorldML1-v0")
    np.random.seed(1)  # noqa: NPY002 (it is what this is about)
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    family.single_env().reset(seed=0)
    assert np.array_equal(np.random.random(3), expected)  # noqa: NPY002


def test_a_picture_shows_the_goal():
    """Two tasks are drawn differently although the same was observed."""
    family = icrl.make_family("icrl/MetaWorldML1-v0")
    tasks = family.sample_tasks(2, seed=0)
    observation, _ = family.single_env().reset(options={"task": tasks.row(0)})
    seen = torch.tensor(np.stack([observation, observation]))
    pictures = [
        family.render(tasks.row(i), Episode(seen, torch.zeros(1, 4), torch.zeros(1)))
        for i in range(2)
    ]
    assert not np.array_equal(*pictures)
    assert pictures[0].shape == (262, 614, 3)


@pytest.mark.parametrize(
    ("id", "arguments", "message"),
    [
        ("icrl/MetaWorldML1-v0", {"env": "juggle-v3"}, "expected one of .*reach-v3"),
        ("icrl/MetaWorldML1-v0", {"horizon": 0}, "horizon=0"),
        ("icrl/MetaWorldML10-v0", {"horizon": 501}, "at most 500"),
        ("icrl/MetaWorldML10-v0", {"split_seed": -1}, "split_seed=-1"),
        ("icrl/MetaWorldML45-v0", {"trial_episodes": 0}, "trial_episodes=0"),
    ],
)
def test_bad_arguments_are_refused_when_the_family_is_made(id, arguments, message):
    with pytest.raises(ConfigError, match=message):
        icrl.make_family(id, **arguments)


def test_more_tasks_than_there_are_are_refused():
    with pytest.raises(TaskError, match="50 distinct tasks"):
        icrl.make_family("icrl/MetaWorldML1-v0").sample_tasks(51, seed=0)
