"""Dark Room with macros, walked by hand in a room of 3 x 3, by macros of two moves.

    0   1   2      every episode opens in S, the goal is G
0   .   .   G
1   .   S   .      actions: 0 up left, 1 right right, 2 stay stay
2   .   .   .
"""

import gymnasium
import numpy as np
import pytest
import torch

import icrl_envs  # noqa: F401 (registers the ids)
from icrl.errors import ConfigError, TaskError
from icrl.tasks import Tasks
from icrl_envs.dark_room_macro import DarkRoomMacro
from icrl_envs.macros import Macros
from icrl_envs.rooms import Room

UP_LEFT, RIGHT_RIGHT, STAY_STAY = range(3)
TASK = {"goal": np.array([0, 2]), "macros": np.array([1 * 5 + 4, 2 * 5 + 2, 0])}
SMALL = {"size": 3, "macro_length": 2, "num_actions": 3}


def walk(actions, task=TASK, **arguments):
    """Cells, rewards, and how the last step ended: terminated, truncated, success."""
    env = DarkRoomMacro(**SMALL, **arguments).single_env()
    seen, rewards, ends, info = [env.reset(options={"task": task})[0]], [], (), {}
    for action in actions:
        observation, reward, *ends, info = env.step(action)
        seen.append(observation)
        rewards.append(reward)
    return seen, rewards, (*ends, info.get("success"))


def given(family):
    arrays = {name: torch.tensor(array)[None] for name, array in TASK.items()}
    return Tasks(family.id, {}, "given", arrays)


# Stories


def test_a_macro_makes_its_moves_one_after_the_other():
    assert walk([UP_LEFT, STAY_STAY])[0] == [4, 0, 0]


def test_walls_hold_each_move_by_itself():
    """Right, and then against the wall; up to the goal, whose step is told below."""
    seen, rewards, ends = walk([RIGHT_RIGHT])
    assert (seen, rewards, ends) == ([4, 5], [0], (False, False, False))


def test_passing_the_goal_on_the_way_pays_once_it_is_over():
    """Up onto the goal and left again: the macro is made to its end, which is what is seen."""
    seen, rewards, ends = walk([RIGHT_RIGHT, UP_LEFT])
    assert (seen, rewards, ends) == ([4, 5, 1], [0, 1], (True, False, True))


def test_ending_on_the_goal_pays_too():
    seen, rewards, ends = walk([UP_LEFT, RIGHT_RIGHT])
    assert (seen, rewards, ends) == ([4, 0, 2], [0, 1], (True, False, True))


def test_the_horizon_truncates():
    assert walk([STAY_STAY] * 3, horizon=3)[2] == (False, True, False)


def test_opening_on_the_goal_takes_a_macro_to_find_it():
    here = {**TASK, "goal": np.array([1, 1])}
    assert walk([STAY_STAY], here)[1:] == ([1], (True, False, True))


def test_macros_count_up_with_their_last_move():
    moves = Macros(Room(3), 3).moves
    assert len(moves) == 125
    assert moves[[0, 1, 5, 38, 124]].tolist() == [
        [0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 2, 3], [4, 4, 4],
    ]  # fmt: skip


# Splits


def drawn(split):
    family = DarkRoomMacro()
    return family.sample_tasks(family.num_tasks[split], split=split, seed=0).arrays


def test_68_goals_train_beside_13_held_out():
    assert DarkRoomMacro().num_tasks == {"train": 68, "test": 13, "goals": 13, "permuted": 13}


def test_goals_are_held_out_of_every_split_but_one():
    goals = {
        split: {tuple(g) for g in drawn(split)["goal"].tolist()} for split in ("train", "test")
    }
    assert len(goals["train"]) == 68 and not goals["train"] & goals["test"]
    for split in ("goals", "permuted"):
        assert {tuple(g) for g in drawn(split)["goal"].tolist()} == goals["test"]


def test_tasks_of_a_split_share_their_macros():
    for split in DarkRoomMacro.splits:
        macros = drawn(split)["macros"]
        assert macros.shape[1] == 50 and torch.equal(macros, macros[:1].expand_as(macros))


def test_test_macros_are_new():
    train, test = (set(drawn(split)["macros"][0].tolist()) for split in ("train", "test"))
    assert len(train) == len(test) == 50 and not train & test


def test_permuted_macros_are_those_that_train_in_another_order():
    train, goals, permuted = (drawn(split)["macros"][0] for split in ("train", "goals", "permuted"))
    assert torch.equal(train, goals) and not torch.equal(train, permuted)
    assert torch.equal(train.sort().values, permuted.sort().values)


@pytest.mark.parametrize("split_seed", range(7))
def test_even_two_macros_are_permuted_into_another_order(split_seed):
    family = DarkRoomMacro(**SMALL | {"num_actions": 2}, split_seed=split_seed)
    train, permuted = (
        family.sample_tasks(1, split=split, seed=0).arrays["macros"][0].tolist()
        for split in ("train", "permuted")
    )
    assert permuted == train[::-1]


def test_another_split_seed_deals_other_macros():
    one, other = (
        DarkRoomMacro(split_seed=seed).sample_tasks(1, seed=0).arrays["macros"] for seed in (0, 1)
    )
    assert set(one[0].tolist()) != set(other[0].tolist())


# What it states


@pytest.mark.parametrize(("horizon", "optimum", "random"), [(1, 0, 0), (2, 1, 2 / 9)])
def test_stated_returns_are_those_of_the_room_drawn_above(horizon, optimum, random):
    """Two ways of two actions in nine: up left and right right, in either order."""
    family = DarkRoomMacro(**SMALL, horizon=horizon)
    assert family.optimal_return(given(family)).item() == optimum
    assert family.random_return(given(family)).item() == pytest.approx(random)


@pytest.mark.parametrize(
    ("split", "random"), [("train", 0.271), ("test", 0.230), ("permuted", 0.255)]
)
def test_mean_returns_are_those_of_the_datasheet(split, random):
    """The paper's figure has random actions at about .25."""
    family = DarkRoomMacro()
    tasks = family.sample_tasks(family.num_tasks[split], split=split, seed=0)
    assert family.optimal_return(tasks).tolist() == [1.0] * len(tasks)
    assert family.random_return(tasks).mean().item() == pytest.approx(random, abs=6e-4)


def test_a_goal_that_no_macro_reaches_earns_nothing():
    family = DarkRoomMacro(**SMALL)
    arrays = given(family).arrays | {"macros": torch.zeros(1, 3, dtype=torch.int64)}
    task = Tasks(family.id, {}, "given", arrays)
    assert family.optimal_return(task).item() == family.random_return(task).item() == 0


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 1}, "size=1: expected a whole number above 1"),
        ({"horizon": -1}, "horizon=-1: expected a whole number, 1 or more"),
        ({"macro_length": 0}, "macro_length=0: expected a whole number, 1 or more"),
        ({"macro_length": 6}, "macro_length=6: expected at most 5"),
        ({"num_actions": 1}, "num_actions=1: expected a whole number, 2 or more"),
        ({"num_actions": 63}, "num_actions=63: expected at most 62, half of the 125 macros"),
        ({"observation": "pixels"}, "observation='pixels'"),
        ({"num_train_tasks": 69}, "81 tasks cannot be divided into num_train_tasks=69"),
        ({"split_seed": -1}, "split_seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        DarkRoomMacro(**arguments)


def test_a_macro_that_there_is_not_is_refused():
    task = {**TASK, "macros": np.array([25, 0, 1])}
    with pytest.raises(TaskError, match="macros"):
        DarkRoomMacro(**SMALL).single_env().reset(options={"task": task})


def test_gymnasium_hands_keywords_on():
    env = gymnasium.make("icrl/DarkRoomMacro-v0", num_actions=7, split="permuted")
    assert env.action_space.n == 7
