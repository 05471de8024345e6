"""Dark Room with permuted actions, walked by hand in a room of 3 x 3.

    0   1   2      every episode opens in S, the goal is G
0   S   .   .
1   .   .   .      actions: 0 down, 1 right, 2 stay, 3 left, 4 up
2   .   .   G
"""

import numpy as np
import pytest
import torch

from icrl.errors import ConfigError
from icrl.tasks import Tasks
from icrl_envs.dark_room_permuted import DarkRoomPermuted

DOWN, RIGHT, STAY, LEFT, UP = range(5)
MOVES = [3, 2, 0, 4, 1]  # as a task numbers them: stay, up, right, down, left


def walk(actions, **arguments):
    """Positions, rewards, and how the last step ended: terminated, truncated."""
    env = DarkRoomPermuted(size=3, **arguments).single_env()
    seen, rewards, ends = [env.reset(options={"task": {"moves": MOVES}})[0].tolist()], [], ()
    for action in actions:
        observation, reward, *ends, _ = env.step(action)
        seen.append(observation.tolist())
        rewards.append(reward)
    return seen, rewards, ends


# Stories


def test_an_action_makes_the_move_that_the_task_says():
    assert walk([DOWN, RIGHT, UP, LEFT, STAY])[0] == [
        [0, 0], [1, 0], [1, 1], [0, 1], [0, 0], [0, 0],
    ]  # fmt: skip


def test_every_step_on_the_goal_pays():
    _, rewards, ends = walk([DOWN, DOWN, RIGHT, RIGHT, STAY, DOWN, UP])
    assert rewards == [0, 0, 0, 1, 1, 1, 0] and ends == [False, False]


def test_the_horizon_truncates():
    assert walk([STAY] * 3, horizon=3)[2] == [False, True]


def test_the_goal_is_the_corner_farthest_from_the_start():
    env = DarkRoomPermuted(size=(2, 4)).single_env()
    env.reset(options={"task": {"moves": MOVES}})
    assert [env.step(action)[1] for action in (RIGHT, RIGHT, RIGHT, DOWN)] == [0, 0, 0, 1]


# What it states


def test_splits_are_108_and_12_permutations():
    family = DarkRoomPermuted()
    assert family.num_tasks == {"train": 108, "test": 12}
    moves = torch.cat(
        [
            family.sample_tasks(n, split=s, seed=0).arrays["moves"]
            for s, n in family.num_tasks.items()
        ]
    )
    assert len({tuple(row) for row in moves.tolist()}) == 120
    assert torch.equal(moves.sort(1).values, torch.arange(5).expand(120, 5))


def test_the_optimum_is_35_of_50_steps():
    """The goal is 16 moves away; the last of them is paid already."""
    family = DarkRoomPermuted()
    tasks = family.sample_tasks(7, seed=0)
    assert family.optimal_return(tasks).tolist() == [35.0] * 7
    assert family.random_return(tasks).tolist() == pytest.approx([0.0243] * 7, abs=6e-5)


def test_stated_returns_are_those_of_dynamic_programming():
    """Backward induction over the cells of a room of 2 x 3, written out by itself."""
    values = {"optimal": torch.zeros(6), "random": torch.zeros(6)}
    for _ in range(7):
        for name, after in values.items():
            now = torch.zeros(6)
            for cell in range(6):
                row, column = divmod(cell, 3)
                options = []
                for down, right in ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1)):
                    there = min(max(row + down, 0), 1) * 3 + min(max(column + right, 0), 2)
                    options.append((there == 5) + after[there])
                options = torch.stack(options)
                now[cell] = options.max() if name == "optimal" else options.mean()
            values[name] = now
    family = DarkRoomPermuted(size=(2, 3), horizon=7)
    task = Tasks(family.id, {}, "given", {"moves": torch.tensor([MOVES])})
    assert family.optimal_return(task).item() == values["optimal"][0]
    assert family.random_return(task).item() == pytest.approx(values["random"][0].item(), abs=1e-5)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 1}, "size=1: expected a whole number above 1"),
        ({"size": 2.5}, "size=2.5: expected a whole number above 1"),
        ({"horizon": -1}, "horizon=-1: expected a whole number, 1 or more"),
        ({"observation": "pixels"}, "observation='pixels'"),
        ({"num_test_tasks": 120}, "120 tasks cannot be divided"),
        ({"trial_episodes": 0}, "trial_episodes=0"),
        ({"split_seed": -1}, "split_seed=-1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        DarkRoomPermuted(**arguments)


def test_two_permutations_draw_two_keypads():
    family, moves = DarkRoomPermuted(size=3), np.array(MOVES)
    pictures = []
    for task in (moves, moves[::-1].copy()):
        env = family.single_env(render_mode="rgb_array")
        env.reset(options={"task": {"moves": task}})
        pictures.append(env.render())
    assert pictures[0].shape == pictures[1].shape
    room = 3 * 40 + 20
    assert np.array_equal(pictures[0][:, :room], pictures[1][:, :room])
    assert not np.array_equal(pictures[0][:, room:], pictures[1][:, room:])
