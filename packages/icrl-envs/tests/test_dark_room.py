"""Dark Room, walked by hand in a room of 3 x 3; its splits, what it states, and what it refuses.

    0   1   2      every episode opens in S, the goal is G
0   .   .   G
1   .   S   .      actions: 0 stay, 1 up, 2 right, 3 down, 4 left
2   .   .   .
"""

import gymnasium
import numpy as np
import pytest
import torch

import icrl_envs  # noqa: F401 (registers the ids)
from icrl.errors import ConfigError, TaskError
from icrl.tasks import Tasks
from icrl_envs.dark_room import DarkRoom

STAY, UP, RIGHT, DOWN, LEFT = range(5)
GOAL = {"task": {"goal": np.array([0, 2])}}


def walk(actions, **arguments):
    """Positions, rewards, and how the last step ended: terminated, truncated, success."""
    env = DarkRoom(size=3, **arguments).single_env()
    seen, rewards, ends, info = [env.reset(options=GOAL)[0].tolist()], [], (), {}
    for action in actions:
        observation, reward, *ends, info = env.step(action)
        seen.append(observation.tolist())
        rewards.append(reward)
    return seen, rewards, (*ends, info.get("success"))


def every_goal(family):
    return Tasks(family.id, family.arguments, "given", {"goal": family.room.every_position})


# Stories


def test_every_step_on_the_goal_pays():
    seen, rewards, ends = walk([UP, RIGHT, STAY, STAY, LEFT, RIGHT])
    assert seen == [[1, 1], [0, 1], [0, 2], [0, 2], [0, 2], [0, 1], [0, 2]]
    assert rewards == [0, 1, 1, 1, 0, 1]
    assert ends == (False, False, None)


def test_walls_keep_the_agent_where_it_is():
    assert walk([LEFT, LEFT, DOWN, DOWN, RIGHT, RIGHT, RIGHT])[0] == [
        [1, 1], [1, 0], [1, 0], [2, 0], [2, 0], [2, 1], [2, 2], [2, 2],
    ]  # fmt: skip


def test_a_wall_beside_the_goal_holds_who_stands_there():
    assert walk([UP, RIGHT, RIGHT, UP])[1] == [0, 1, 1, 1]


def test_the_hard_room_pays_once():
    _, rewards, ends = walk([UP, RIGHT, STAY, LEFT, RIGHT], pays_every_step=False)
    assert rewards == [0, 1, 0, 0, 0] and ends == (False, False, False)


def test_the_step_that_is_paid_once_is_a_success():
    assert walk([UP, RIGHT], pays_every_step=False)[2] == (False, False, True)


def test_the_goal_ends_a_terminating_episode():
    _, rewards, ends = walk([UP, RIGHT], terminates=True)
    assert rewards == [0, 1] and ends == (True, False, True)


def test_reaching_the_goal_with_the_last_step_is_no_truncation():
    assert walk([UP, RIGHT], terminates=True, horizon=2)[2] == (True, False, True)


def test_the_horizon_truncates():
    assert walk([STAY] * 7, horizon=7)[2] == (False, True, None)


def test_the_cell_is_the_number_of_the_position():
    env = DarkRoom(size=(3, 5), observation="cell", start="corner").single_env()
    seen = [env.reset(seed=0)[0], *(env.step(a)[0] for a in (RIGHT, DOWN, DOWN, DOWN, LEFT))]
    assert seen == [0, 1, 6, 11, 11, 10]


def test_the_room_may_be_longer_than_wide():
    family = DarkRoom(size=(3, 5))
    assert family.observation_space.nvec.tolist() == [3, 5]
    assert family.single_env().reset(seed=0)[0].tolist() == [1, 2]


def test_a_random_start_may_be_any_cell():
    env = DarkRoom(size=3, start="random").vector_env(every_goal(DarkRoom(size=3)), num_envs=499)
    observation, _ = env.reset(seed=0)
    assert {tuple(p) for p in observation.tolist()} == {(r, c) for r in range(3) for c in range(3)}


# What it states


def test_splits_are_65_and_16_goals():
    assert DarkRoom().num_tasks == {"train": 65, "test": 16}


@pytest.mark.parametrize(
    ("arguments", "optimum", "random"),
    [
        ({}, 16.543, 0.2469),
        ({"size": 17, "pays_every_step": False}, 1.0, 0.0373),
        ({"terminates": True}, 1.0, 0.1258),
        ({"size": 10, "horizon": 100, "start": "corner"}, 91.99, 1.0),
        ({"size": 15, "horizon": 50}, 43.529, 0.2222),
        ({"size": 19, "horizon": 100, "terminates": True, "num_test_tasks": 61}, 1.0, 0.1070),
    ],
)
def test_mean_returns_are_those_of_the_literature(arguments, optimum, random):
    """The published random returns .039 and .13 count an opening on the goal as found: we need a
    step.
    """
    family = DarkRoom(**arguments)
    assert family.optimal_return(every_goal(family)).mean() == pytest.approx(optimum, abs=6e-4)
    assert family.random_return(every_goal(family)).mean() == pytest.approx(random, abs=6e-5)


def test_without_the_centre_the_optimum_is_16_50():
    family = DarkRoom()
    optimum = family.optimal_return(every_goal(family))
    assert optimum[40] == 20 and (optimum.sum() - 20) / 80 == pytest.approx(16.5)


@pytest.mark.parametrize("start", ["centre", "corner", "random"])
@pytest.mark.parametrize("pays_every_step", [True, False])
def test_stated_returns_are_those_of_dynamic_programming(start, pays_every_step):
    """Backward induction over (cell, whether the goal has paid), written out by itself."""
    family = DarkRoom(size=(2, 3), horizon=5, start=start, pays_every_step=pays_every_step)
    for task in every_goal(family):
        goal = int(family.room.cell(task.arrays["goal"]))
        values = {"optimal": torch.zeros(6, 2), "random": torch.zeros(6, 2)}
        for _ in range(5):
            for name, after in values.items():
                now = torch.zeros(6, 2)
                for cell in range(6):
                    for paid in range(2):
                        row, column = divmod(cell, 3)
                        options = []
                        for down, right in ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1)):
                            there = min(max(row + down, 0), 1) * 3 + min(max(column + right, 0), 2)
                            pays = there == goal and (pays_every_step or not paid)
                            options.append(pays + after[there, int(paid or there == goal)])
                        options = torch.stack(options)
                        now[cell, paid] = options.max() if name == "optimal" else options.mean()
                values[name] = now
        openings = {"centre": [4], "corner": [0], "random": list(range(6))}[start]
        for name, stated in (
            ("optimal", family.optimal_return(task)),
            ("random", family.random_return(task)),
        ):
            assert stated.item() == pytest.approx(values[name][openings, 0].mean().item(), abs=1e-5)


def test_a_goal_out_of_reach_earns_nothing():
    family = DarkRoom(size=9, horizon=3, start="corner")
    assert family.optimal_return(every_goal(family))[80] == 0


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 1}, "size=1: expected a whole number above 1"),
        ({"size": 4.5}, "size=4.5: expected a whole number above 1"),
        ({"size": "9"}, "size='9': expected a whole number above 1"),
        ({"size": (3, 0)}, r"size=\(3, 0\)"),
        ({"size": (3, 3, 3)}, r"size=\(3, 3, 3\)"),
        ({"horizon": 0}, "horizon=0: expected a whole number, 1 or more"),
        ({"horizon": 2.5}, "horizon=2.5: expected a whole number"),
        ({"trial_episodes": 0}, "trial_episodes=0"),
        ({"start": "center"}, "start='center': expected one of centre, corner, random"),
        ({"observation": "pixels"}, "observation='pixels': expected one of position, cell"),
        ({"num_test_tasks": 81}, "num_test_tasks=81"),
        ({"split_seed": -1}, "split_seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        DarkRoom(**arguments)


def test_a_goal_outside_the_room_is_refused():
    with pytest.raises(TaskError, match=r"has goal in MultiDiscrete.*got \[9, 0\]"):
        DarkRoom().single_env().reset(options={"task": {"goal": [9, 0]}})


def test_gymnasium_hands_keywords_on():
    env = gymnasium.make("icrl/DarkRoomHard-v0", size=5, split="test")
    assert env.observation_space.nvec.tolist() == [5, 5]
    assert env.unwrapped.family.arguments["pays_every_step"] is False
