"""Visual Maze, walked by hand in a maze of 2 x 2 rooms.

    0 1 2 3 4
0   # # # # #      S is the start, facing right, T the target
1   # S . . #      actions: 0 turn left, 1 turn right, 2 go forward
2   # # # . #
3   # T . . #
4   # # # # #
"""

import math

import numpy as np
import pytest
import torch

from icrl.errors import ConfigError
from icrl.families import Episode
from icrl.tasks import Tasks
from icrl.testing.families import FamilyContract
from icrl_envs.drawing import GOLD
from icrl_envs.visual_maze import VisualMaze

LEFT, RIGHT, FORWARD = range(3)
TO_THE_TARGET = [FORWARD, FORWARD, RIGHT, FORWARD, FORWARD, RIGHT, FORWARD, FORWARD]
MAZE = np.array(
    [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 2, 0, 0, 1], [1, 1, 1, 1, 1]], np.uint8
)
TASK = {"maze": MAZE, "start": np.array([1, 1, 1])}


class TestVisualMaze(FamilyContract):
    first_observation_shows_task = True  # it shows the walls around

    def make_family(self):
        return VisualMaze(
            size=3, horizon=9, height=5, width=7, num_train_tasks=17, num_test_tasks=5
        )


@pytest.fixture(scope="module")
def family():
    return VisualMaze(size=2, num_train_tasks=2, num_test_tasks=1)


def walk(family, actions):
    """Frames, rewards, and how the last step ended: terminated, truncated, success."""
    env = family.single_env()
    frames, rewards, end = [env.reset(options={"task": TASK})[0].astype(int)], [], ()
    for action in actions:
        frame, reward, *end, info = env.step(action)
        frames.append(frame.astype(int))
        rewards.append(reward)
        end = (*end, info["success"])
    return frames, rewards, end


def green(frame):
    """Where a frame shows the target, [height, width]: nothing else is green."""
    return frame[..., 1] - frame[..., [0, 2]].max(-1) > 20


# Stories


def test_every_step_costs_until_the_target_pays_and_ends_the_episode(family):
    _, rewards, end = walk(family, TO_THE_TARGET)
    assert rewards == pytest.approx([-0.04] * 7 + [0.96]) and end == (True, False, True)


def test_running_against_a_wall_costs_more_and_leads_nowhere(family):
    frames, rewards, _ = walk(family, [LEFT, FORWARD, RIGHT])
    assert rewards == pytest.approx([-0.04, -0.041, -0.04])
    assert np.array_equal(frames[1], frames[2]) and np.array_equal(frames[3], frames[0])


def test_the_horizon_truncates():
    short = VisualMaze(size=2, horizon=3, num_train_tasks=2, num_test_tasks=1)
    assert walk(short, [LEFT] * 3)[2] == (False, True, False)


# What is seen


def test_frames_are_30_rows_of_40_columns(family):
    assert family.observation_space.shape == walk(family, [])[0][0].shape == (30, 40, 3)


def test_four_turns_show_the_first_frame_again(family):
    for turn in (LEFT, RIGHT):
        frames, _, _ = walk(family, [turn] * 4)
        assert np.array_equal(frames[4], frames[0])
        assert len({frame.tobytes() for frame in frames}) == 4


def test_turning_left_undoes_turning_right(family):
    frames, _, _ = walk(family, [RIGHT, LEFT, LEFT, RIGHT])
    assert np.array_equal(frames[0], frames[2]) and np.array_equal(frames[0], frames[4])
    assert not np.array_equal(frames[1], frames[3])


def test_the_target_is_hidden_behind_walls(family):
    frames, _, _ = walk(family, TO_THE_TARGET[:5])
    assert not any(green(frame).any() for frame in frames)


def test_a_target_two_cells_ahead_is_a_pillar_in_the_middle(family):
    """Its near side is 1.75 cells ahead: 20 / 1.75 = 11.4 rows, about 20 * 0.5 / 2 = 5 columns."""
    seen = green(walk(family, TO_THE_TARGET[:6])[0][-1])
    assert seen[:, 19].sum() == pytest.approx(11.4, abs=1)
    assert seen.any(0).sum() == pytest.approx(5, abs=1)
    assert np.array_equal(seen, seen[:, ::-1])


def test_a_target_that_is_nearer_looks_larger(family):
    frames, _, _ = walk(family, TO_THE_TARGET)
    sizes = [green(frame).sum() for frame in frames[-3:]]
    assert 0 < sizes[0] < sizes[1] < sizes[2] == 30 * 40


def test_a_wall_beside_fills_the_view(family):
    """Half a cell away it covers 20 / 0.5 = 40 rows, of 30; 2.5 cells away only 8, above floor."""
    frames, _, _ = walk(family, [LEFT])
    floor = [np.ptp(frame[-1, 12:28], axis=-1).max() for frame in frames]
    assert floor[0] < 5 < floor[1]


def test_faces_differ_by_where_they_look(family):
    """A wall half a cell ahead: brown to who looks up or down, grey to who looks left or right."""
    up, _, right = (walk(family, actions)[0][-1] for actions in ([LEFT], [], [FORWARD, FORWARD]))
    redness = [(frame[..., 0] - frame[..., 2]).mean() for frame in (up, right)]
    assert redness[0] > 30 and abs(redness[1]) < 15


def test_a_pool_of_mazes_shows_each_row_its_own(family):
    task = {name: torch.as_tensor(array)[None] for name, array in TASK.items()}
    other = {**task, "maze": task["maze"].clone()}
    other["maze"][0, 1, 3] = 1
    tasks = Tasks(
        family.id, {}, "given", {k: torch.cat((task[k], other[k], task[k])) for k in task}
    )
    frames, _ = family.vector_env(tasks).reset(seed=0)
    assert torch.equal(frames[0], frames[2]) and not torch.equal(frames[0], frames[1])
    assert np.array_equal(frames[0].numpy(), walk(family, [])[0][0])


@pytest.mark.gpu
def test_a_gpu_shows_what_a_cpu_shows():
    family, shown = VisualMaze(), {}
    tasks, actions = family.sample_tasks(5, seed=0), torch.arange(35).view(7, 5) % 3
    for device in ("cpu", "cuda"):
        env = family.vector_env(tasks, device=device)
        frames = [env.reset(seed=0)[0], *(env.step(action)[0] for action in actions)]
        shown[device] = torch.stack(frames).cpu().int()
    assert ((shown["cpu"] - shown["cuda"]).abs() > 8).float().mean() < 0.005


# What it states


def test_the_optimum_is_that_of_the_shortest_way(family):
    arrays = {name: torch.as_tensor(array)[None] for name, array in TASK.items()}
    stated = family.optimal_return(Tasks(family.id, {}, "given", arrays))
    assert stated.item() == pytest.approx(1 - 8 * 0.04)


def test_a_thousand_mazes_train_beside_a_thousand_held_out():
    family = VisualMaze()
    assert family.num_tasks == {"train": 1000, "test": 1000}
    train, test = (
        {
            maze.tobytes()
            for maze in (family.sample_tasks(1000, split=split, seed=0).arrays["maze"] == 1).numpy()
        }
        for split in ("train", "test")
    )
    assert len(train) == len(test) == 1000 and not train & test


# Pictures


def test_the_onlooker_sees_the_maze_beside_the_agents_view(family):
    frames, rewards, _ = walk(family, TO_THE_TARGET[:3])
    episode = Episode(
        torch.from_numpy(np.stack(frames).astype(np.uint8)),
        torch.tensor(TO_THE_TARGET[:3]),
        torch.tensor(rewards),
    )
    picture = family.render(TASK, episode)
    cell, times = 34, 170 // 30
    assert picture.shape == (5 * cell, 5 * cell + times * 40, 3)
    target = picture[3 * cell + cell // 2, cell + cell // 2].astype(int)
    assert np.abs(target - GOLD).max() < 20
    view = picture[10 + 2 : 160 : times, 5 * cell + 2 :: times]
    assert np.array_equal(view, frames[-1])


def test_views_look_as_they_did(family, matches_snapshot):
    """The way to the target, frame by frame."""
    frames, _, _ = walk(family, TO_THE_TARGET)
    rows = [np.concatenate(frames[i : i + 3], 1) for i in (0, 3, 6)]
    mosaic = np.concatenate(rows).astype(np.uint8)
    assert matches_snapshot(mosaic, "visual-maze-views", views=True)


def test_the_picture_looks_as_it_did(family, matches_snapshot):
    env = family.single_env(render_mode="rgb_array")
    env.reset(options={"task": TASK})
    for action in TO_THE_TARGET[:6]:
        env.step(action)
    assert matches_snapshot(env.render(), "visual-maze-picture", views=True)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 0}, "height=0: expected a whole number, 1 or more"),
        ({"size": 1}, "size=1: expected a whole number, 2 or more"),
        ({"horizon": -1}, "horizon=-1"),
        ({"step_cost": math.inf}, "step_cost=inf: expected 0 or more, and finite"),
        ({"num_test_tasks": 0}, "num_test_tasks=0"),
        ({"size": 2}, "2000 tasks asked of mazes of size=2"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        VisualMaze(**arguments)
