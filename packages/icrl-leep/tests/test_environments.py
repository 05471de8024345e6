"""The members' environments: each member's rows play its own tasks, and nothing else."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.monitor import Monitor

from icrl.errors import TaskError
from icrl.sb3 import TaskVecEnv
from icrl.sb3.blank import BlankVecEnv
from icrl.testing import Corridor
from icrl.testing.counter import CounterFamily
from icrl.training_view import training_pool
from icrl_leep.environments import MemberVecEnv
from icrl_leep.learning import bootstraps

STILL = np.zeros((6, 1), np.float32)


def counters(members: int = 3, share: int = 2, length: int = 3) -> MemberVecEnv:
    """Member i counts for the tasks 10 i and 10 i + 1, a new one for each episode."""
    family = CounterFamily(length)
    return MemberVecEnv(
        [
            TaskVecEnv(
                family.vector_env(
                    family.sample_tasks(2, seed=member), num_envs=share, episodes_per_task=1
                )
            )
            for member in range(members)
        ]
    )


def test_each_members_rows_play_its_own_tasks_alone():
    env = counters()
    env.seed(0)
    observation = env.reset()
    seen = [observation[:, 1]]
    for _ in range(60):
        observation, *_ = env.step(STILL)
        seen.append(observation[:, 1])
    for member in range(3):
        rows = np.stack(seen)[:, 2 * member : 2 * member + 2]
        assert set(rows.ravel().tolist()) == {10 * member, 10 * member + 1}


def test_rows_are_the_parts_side_by_side():
    env = counters()
    assert (env.num_envs, env.share) == (6, 2)
    assert env.observation_space == env.parts[0].observation_space
    observation = env.reset()
    assert observation.shape == (6, 3)
    actions = np.linspace(-1, 1, 6, dtype=np.float32)[:, None]
    observation, reward, done, infos = env.step(actions)
    np.testing.assert_allclose(observation[:, 2], actions[:, 0])  # the last action is shown
    assert reward.tolist() == [1.0] * 6
    assert not done.any()
    assert len(infos) == 6


def test_infos_are_their_rows():
    env = counters()
    opening = env.reset()
    for _ in range(3):
        _, _, done, infos = env.step(STILL)
    assert done.all()
    for row, info in enumerate(infos):
        assert info["TimeLimit.truncated"]
        assert info["episode"]["r"] == 6.0
        assert info["terminal_observation"][:2].tolist() == [3.0, opening[row, 1]]


def test_one_seed_seeds_each_member_differently():
    family = Corridor()
    tasks = family.sample_tasks(1, seed=0)

    def cells(seed: int) -> np.ndarray:
        parts = [TaskVecEnv(family.vector_env(tasks, num_envs=31)) for _ in range(2)]
        env = MemberVecEnv(parts)
        assert len(env.seed(seed)) == 62
        return env.reset()

    first, again, other = cells(3), cells(3), cells(7)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[:31], first[31:])


def test_parts_of_an_observation_are_joined_each_by_itself():
    class Labelled(BlankVecEnv):
        """Shows its number in one part, and twice of it in the other."""

        def __init__(self, number: int) -> None:
            box = spaces.Box(-9, 9, (3,))
            super().__init__(spaces.Dict(one=box, two=box), spaces.Discrete(2), num_envs=2)
            self.number = number
            self.reset_infos = [{"number": number}] * 2

        def reset(self) -> Any:
            return {
                name: np.full((2, 3), times * self.number)
                for name, times in (("one", 1), ("two", 2))
            }

    env = MemberVecEnv([Labelled(3), Labelled(4)])
    observation = env.reset()
    assert observation["one"][:, 0].tolist() == [3, 3, 4, 4]
    assert observation["two"][:, 2].tolist() == [6, 6, 8, 8]
    assert [info["number"] for info in env.reset_infos] == [3, 3, 4, 4]
    assert env.get_attr("number", [1, 2]) == [3, 4]
    env.set_attr("number", 5, [3])
    assert env.get_attr("number") == [3, 3, 5, 5]
    assert env.env_is_wrapped(Monitor, 0) == [False]


def test_methods_of_the_rows_can_be_called():
    env = counters()
    assert len(env.env_method("reset", seed=0)) == 6
    assert env.env_is_wrapped(Monitor) == [True] * 6
    env.close()


# Bootstraps.


def content(tasks: Any) -> set[tuple[float, ...]]:
    """Tasks of the corridor, each by its goal and gain."""
    goal, gain = tasks.arrays["goal"], tasks.arrays["gain"][:, 0]
    return set(zip(goal.tolist(), gain.tolist(), strict=True))


def drawn(seed: int = 0, members: int = 5) -> list[Any]:
    pool = training_pool(Corridor(), seed=1)
    return bootstraps(pool, members, torch.Generator().manual_seed(seed))


def test_bootstraps_are_of_training_tasks_alone():
    family = Corridor()
    train, test = (
        content(family.sample_tasks(family.num_tasks[split], split=split, seed=0))
        for split in ("train", "test")
    )
    assert train and test and not train & test
    found = set().union(*map(content, drawn()))
    assert found <= train
    assert len(found) > 0.9 * len(train)


def test_bootstraps_are_drawn_with_replacement():
    """Of n tasks, each member has n draws, of which about 1 - 1/e are different ones."""
    pool = training_pool(Corridor(), seed=1)
    for own in drawn():
        assert len(own) == len(pool)
        assert 0.5 < len(content(own)) / len(pool) < 0.77


def test_each_member_has_a_bootstrap_of_its_own():
    sets = [frozenset(content(own)) for own in drawn()]
    assert len(set(sets)) == 5


def test_bootstraps_follow_the_generator():
    order = [[own.arrays["goal"].tolist() for own in drawn(seed)] for seed in (0, 0, 1)]
    assert order[0] == order[1] != order[2]


def test_one_member_has_all_tasks():
    (own,) = drawn(members=1)
    assert content(own) == content(training_pool(Corridor(), seed=1))


def test_fewer_tasks_than_members_are_refused():
    with pytest.raises(
        TaskError, match=r"3 training tasks of icrl-tests/Corridor-v0 for 5 members"
    ):
        bootstraps(Corridor().sample_tasks(3, seed=0), 5, torch.Generator())
