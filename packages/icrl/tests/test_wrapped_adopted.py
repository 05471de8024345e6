"""Existing vector environments of Gymnasium, in each of their autoreset modes."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from icrl.errors import AutoresetError, SpaceError, TaskError
from icrl.testing.counter import Counter, CounterFamily
from icrl.trees import leaves
from icrl.wrapped import AdoptedVectorEnv, GymnasiumFamily

MODES = (AutoresetMode.SAME_STEP, AutoresetMode.DISABLED, AutoresetMode.NEXT_STEP)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> AutoresetMode:
    return request.param


def adopted(mode: AutoresetMode) -> AdoptedVectorEnv:
    """Two counters, of 2 and 3 steps."""
    family = CounterFamily()
    env = SyncVectorEnv([lambda: Counter(2), lambda: Counter(3)], autoreset_mode=mode)
    return AdoptedVectorEnv(family, family.sample_tasks(2, seed=0), env)


# Counters of 2 and 3 steps observe their step: no phantom step may come between 2 (or 3) and 0.
#   outcome      1 1   2 2   1 3   2 1
#   observation  1 1   0 2   1 0   0 1


def test_no_phantom_step_comes_between_two_episodes(mode: AutoresetMode):
    env = adopted(mode)
    env.reset(seed=0)
    outcomes, observations, rewards, ends = [], [], [], []
    for _ in range(4):
        observation, reward, _, truncated, info = env.step(np.zeros((2, 1)))
        observations.append(observation[:, 0].tolist())
        outcomes.append(info["final_obs"][:, 0].tolist())
        rewards.append(reward.tolist())
        ends.append(truncated.tolist())
    assert outcomes == rewards == [[1, 1], [2, 2], [1, 3], [2, 1]]
    assert observations == [[1, 1], [0, 2], [1, 0], [0, 1]]
    assert ends == [[False, False], [True, False], [False, True], [True, False]]


def test_success_of_an_ended_episode_is_kept(mode: AutoresetMode):
    env = adopted(mode)
    env.reset(seed=0)
    said = [env.step(np.zeros((2, 1)))[-1]["success"].tolist() for _ in range(3)]
    assert said == [[False, False], [True, False], [False, True]]


@pytest.mark.parametrize("id", ["MiniGrid-Empty-5x5-v0", "Blackjack-v1", "Pendulum-v1"])
def test_structured_observations_are_converted(id: str):
    family = GymnasiumFamily(id)
    tasks = family.sample_tasks(3, seed=0)
    env = SyncVectorEnv([family.make_env] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    adopted = AdoptedVectorEnv(family, tasks, env)
    expected = form(family.vector_env(tasks).reset(seed=0)[0])
    assert form(adopted.reset(seed=0)[0]) == expected
    adopted.action_space.seed(0)
    for _ in range(30):
        observation, _, _, _, info = adopted.step(adopted.action_space.sample())
        assert form(observation) == form(info["final_obs"]) == expected


def form(tree: Any) -> list[Any]:
    return [(path, leaf.shape, leaf.dtype) for path, leaf in leaves(tree)]


class NextStep(VectorEnv):
    """A vector environment of a stranger, in next-step autoreset."""

    num_envs = 2
    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012
    single_observation_space = Counter.observation_space
    single_action_space = Counter.action_space


def test_next_step_autoreset_that_cannot_be_turned_off_is_refused():
    family = CounterFamily()
    with pytest.raises(AutoresetError, match="a transition that never was"):
        AdoptedVectorEnv(family, family.sample_tasks(2, seed=0), NextStep())


def test_a_vector_environment_of_other_spaces_is_refused():
    family = GymnasiumFamily("CartPole-v1")
    env = gymnasium.make_vec("Pendulum-v1", 2)
    with pytest.raises(SpaceError, match="has the observation_space"):
        AdoptedVectorEnv(family, family.sample_tasks(2, seed=0), env)


def test_too_few_tasks_are_refused():
    family = CounterFamily()
    env: Any = SyncVectorEnv([Counter, Counter])
    with pytest.raises(TaskError, match="1 tasks for a vector environment of 2 rows"):
        AdoptedVectorEnv(family, family.sample_tasks(1, seed=0), env)
    assert isinstance(env.single_action_space, spaces.Box)
