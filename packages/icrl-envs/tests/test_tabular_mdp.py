"""Tabular MDP, in a world of three states that is drawn by hand; what it states and refuses.

action 0: stay.   action 1: 0 -> 1 -> 2 -> 2

pays     0    1    2   state
action 0 1    0    5
action 1 0    0    5
"""

import math

import numpy as np
import pytest
import torch

from icrl.errors import ConfigError, TaskError
from icrl.tasks import Tasks
from icrl_envs.tabular_mdp import TabularMDP, best_values

TRANSITION = np.zeros((3, 2, 3), np.float32)
for _state in range(3):
    TRANSITION[_state, 0, _state] = 1
    TRANSITION[_state, 1, min(_state + 1, 2)] = 1
REWARD = np.array([[1, 0], [0, 0], [5, 5]], np.float32)
ROWS = 20_011


def small(**arguments):
    return TabularMDP(num_states=3, num_actions=2, **arguments)


def given(family, transition=TRANSITION, reward=REWARD):
    arrays = {"transition": torch.tensor(transition)[None], "reward": torch.tensor(reward)[None]}
    return Tasks(family.id, dict(family.arguments), "given", arrays)


# Stories


def test_a_certain_transition_is_taken():
    env = small(horizon=4).single_env()
    opening, _ = env.reset(seed=0, options={"task": {"transition": TRANSITION, "reward": REWARD}})
    steps = [env.step(action) for action in (0, 1, 1, 0)]
    assert [opening, *(step[0] for step in steps)] == [0, 0, 1, 2, 2]
    assert [step[2:4] for step in steps] == [(False, False)] * 3 + [(False, True)]


def test_every_episode_opens_in_state_0():
    env = small(horizon=2).vector_env(given(small()), num_envs=7)
    env.reset(seed=0)
    env.step(torch.ones(7, dtype=torch.int64))
    observation, *_, info = env.step(torch.ones(7, dtype=torch.int64))
    assert observation.tolist() == [0] * 7 and info["final_obs"].tolist() == [2] * 7


def test_a_reward_is_normal_about_the_mean_of_state_and_action():
    env = small().vector_env(given(small()), num_envs=ROWS)
    env.reset(seed=0)
    for action, mean in ((0, 1), (1, 0), (1, 0), (0, 5)):
        reward = env.step(torch.full((ROWS,), action))[1]
        assert reward.mean().item() == pytest.approx(mean, abs=4.5 / math.sqrt(ROWS))
        assert reward.std().item() == pytest.approx(1, rel=0.03)


def test_states_follow_as_often_as_their_chances_say():
    chances = np.array([0.5, 0.2, 0.3], np.float32)
    transition = np.broadcast_to(chances, (3, 2, 3)).copy()
    env = small().vector_env(given(small(), transition), num_envs=ROWS)
    env.reset(seed=0)
    following = env.step(torch.zeros(ROWS, dtype=torch.int64))[0]
    found = torch.bincount(following, minlength=3) / ROWS
    assert found.tolist() == pytest.approx(chances.tolist(), abs=4.5 * 0.5 / math.sqrt(ROWS))


@pytest.mark.parametrize("only", [0, 1, 2])
def test_a_state_without_a_chance_never_follows(only):
    transition = np.zeros((3, 2, 3), np.float32)
    transition[:, :, only] = 1
    env = small().vector_env(given(small(), transition), num_envs=ROWS)
    env.reset(seed=0)
    assert set(env.step(torch.zeros(ROWS, dtype=torch.int64))[0].tolist()) == {only}


# What it states


@pytest.mark.parametrize(
    ("horizon", "optimum", "plan"),
    [
        (1, 1, [0]),
        (2, 2, [0, 0]),
        (3, 5, [1, 1, 0]),  # two steps to state 2, where 5 is paid
        (4, 10, [1, 1, 0, 0]),
    ],
)
def test_the_optimum_is_that_of_the_world_drawn_above(horizon, optimum, plan):
    family = small(horizon=horizon)
    assert family.optimal_return(given(family)).item() == optimum
    actions = best_values(torch.tensor(TRANSITION)[None], torch.tensor(REWARD)[None], horizon)[1]
    state, walked = 0, []
    for best in actions[0]:
        walked.append(int(best[state]))
        state = int(TRANSITION[state, walked[-1]].argmax())
    assert walked == plan


def test_the_random_return_is_that_of_the_world_drawn_above():
    """A step from 0 pays 1/2. After it: 0 or 1, so 1/4. After two: 0, 1, 1 or 2, so 1/8 + 5/4."""
    assert small(horizon=3).random_return(given(small(horizon=3))).item() == pytest.approx(
        0.5 + 0.25 + 0.125 + 1.25
    )


def test_mean_returns_are_those_of_the_datasheet():
    """Who takes the best paid action of each state, without planning, earns 10 (1 + 1.163) = 21.63
    already, 1.163 being the mean of the largest of five normal numbers. 20.76, which one finds
    implied by normalised tables, is less and cannot be the optimum.
    """
    family = TabularMDP()
    tasks = family.sample_tasks(4001, split="test", seed=0)
    optimum, random = family.optimal_return(tasks), family.random_return(tasks)
    bound = 4.5 / math.sqrt(len(tasks))
    assert optimum.mean().item() == pytest.approx(21.83, abs=bound * optimum.std().item())
    assert random.mean().item() == pytest.approx(10, abs=bound * random.std().item())


def test_rows_of_transitions_are_flat_dirichlet_draws():
    """Of n states, each chance has the mean 1 / n and the variance (n - 1) / (n² (n + 1))."""
    transition = TabularMDP().sample_tasks(997, seed=0).arrays["transition"]
    torch.testing.assert_close(transition.sum(-1), torch.ones_like(transition[..., 0]))
    assert transition.mean().item() == pytest.approx(0.1, abs=1e-6)
    assert transition.var().item() == pytest.approx(9 / (100 * 11), rel=0.02)


def test_rewards_are_normal_around_one():
    reward = TabularMDP().sample_tasks(997, seed=0).arrays["reward"]
    assert reward.mean().item() == pytest.approx(1, abs=4.5 / math.sqrt(reward.numel()))
    assert reward.std().item() == pytest.approx(1, rel=0.02)


# Pictures


def render(*actions, horizon=4):
    env = small(horizon=horizon).single_env(render_mode="rgb_array")
    env.reset(seed=0, options={"task": {"transition": TRANSITION, "reward": REWARD}})
    for action in actions:
        env.step(action)
    return env.render().astype(int)


def ring(picture, state, action):
    """The pixel where a ring about a cell would be."""
    return picture[10 + 36 * state + 18 - 11, 10 + 36 * (action + 1) + 18]


def is_golden(pixel):
    return np.abs(pixel - [245, 190, 92]).max() < 40


def test_the_onlooker_sees_what_is_best_now():
    picture = render()
    assert is_golden(ring(picture, 0, 1)) and not is_golden(ring(picture, 0, 0))


def test_what_is_best_depends_on_the_steps_left():
    picture = render(0, 0)
    assert is_golden(ring(picture, 0, 0)) and not is_golden(ring(picture, 0, 1))


def test_nothing_is_best_once_the_episode_is_over():
    picture = render(0, 0, 0, 0)
    assert not any(is_golden(ring(picture, s, a)) for s in range(3) for a in range(2))


def test_a_better_paid_cell_is_greener():
    picture = render()
    poor, rich = (picture[10 + 36 * state + 4, 10 + 36 + 18] for state in (1, 2))
    assert rich[1] > poor[1] + 40


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_states": 1}, "num_states=1: expected a whole number, 2 or more"),
        ({"num_actions": 0}, "num_actions=0"),
        ({"horizon": 0}, "horizon=0"),
        ({"trial_episodes": 0}, "trial_episodes=0"),
        ({"split_seed": -1}, "split_seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        TabularMDP(**arguments)


def test_a_chance_above_one_is_refused():
    task = {"transition": 2 * TRANSITION, "reward": REWARD}
    with pytest.raises(TaskError, match="transition"):
        small().single_env().reset(options={"task": task})
