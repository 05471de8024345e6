"""Pictures of dark rooms: what the onlooker sees, and where."""

import numpy as np
import pytest
import torch

from icrl.families import Episode
from icrl_envs.canvas import Canvas
from icrl_envs.dark_key_to_door import DarkKeyToDoor
from icrl_envs.dark_room import DarkRoom
from icrl_envs.drawing import AGENT, DOOR, FLOOR, GOLD, TRAIL, WALL

CELL, MARGIN = 40, 10


def episode(*positions):
    walked = torch.tensor(positions)
    return Episode(
        walked, torch.zeros(len(positions) - 1, dtype=torch.int64), torch.zeros(len(positions) - 1)
    )


def middle(picture, row, column):
    return picture[MARGIN + CELL * row + CELL // 2, MARGIN + CELL * column + CELL // 2].astype(int)


def near(colour, other, tolerance=12):
    return np.abs(np.asarray(colour) - other).max() <= tolerance


@pytest.fixture
def room_picture():
    return DarkRoom(size=5).render({"goal": np.array([0, 4])}, episode([2, 2], [2, 3], [3, 3]))


def test_a_cell_is_forty_pixels(room_picture):
    assert room_picture.shape == (220, 220, 3) and room_picture.dtype == np.uint8


def test_the_agent_stands_where_it_was_last_seen(room_picture):
    assert near(middle(room_picture, 3, 3), AGENT)


def test_the_onlooker_sees_the_goal(room_picture):
    assert near(middle(room_picture, 0, 4), GOLD)


def test_a_cell_where_nothing_happened_is_floor(room_picture):
    assert near(middle(room_picture, 4, 0), FLOOR)


def test_the_trail_fades_with_age():
    family = DarkRoom(size=9)
    walk = episode(*([8, column] for column in range(9)))
    picture = family.render({"goal": np.array([0, 0])}, walk)
    distance = [
        np.abs(
            picture[MARGIN + CELL * 8 + 20, MARGIN + CELL * column + 40].astype(int) - TRAIL
        ).sum()
        for column in range(7)
    ]
    assert distance == sorted(distance, reverse=True) and distance[0] > distance[-1] + 20


def test_the_trail_belongs_to_the_episode():
    env = DarkRoom(size=3, horizon=2).single_env(render_mode="rgb_array")
    env.reset(seed=0, options={"task": {"goal": [0, 0]}})
    opening = env.render()
    env.step(1)
    assert not np.array_equal(env.render(), opening)
    env.reset()
    assert np.array_equal(env.render(), opening)


def test_a_big_room_has_smaller_cells():
    task = {"goal": np.array([0, 0])}
    picture = DarkRoom(size=(40, 20)).render(task, episode([2, 2]))
    assert picture.shape == (810, 410, 3)


@pytest.mark.parametrize("view", ["position", "cell"])
def test_the_picture_does_not_depend_on_what_the_agent_sees(view, room_picture):
    walk = [[2, 2], [2, 3], [3, 3]] if view == "position" else [12, 13, 18]
    drawn = DarkRoom(size=5, observation=view).render({"goal": np.array([0, 4])}, episode(*walk))
    assert np.array_equal(drawn, room_picture)


KEY_AND_DOOR = {"key": np.array([1, 1]), "door": np.array([3, 3])}


def test_the_key_lies_there_until_it_is_taken():
    family = DarkKeyToDoor(size=5)
    stem = (MARGIN + CELL + 20, MARGIN + CELL + 28)
    lying = family.render(KEY_AND_DOOR, episode([0, 0], [0, 1]))
    taken = family.render(KEY_AND_DOOR, episode([0, 1], [1, 1], [2, 1], [3, 1]))
    assert near(lying[stem], GOLD) and near(taken[stem], FLOOR)


def test_opening_on_the_key_is_not_taking_it():
    family = DarkKeyToDoor(size=5)
    opened_on = family.render(KEY_AND_DOOR, episode([1, 1], [1, 2]))
    taken = family.render(KEY_AND_DOOR, episode([1, 2], [1, 1], [1, 2]))
    ring = (MARGIN + 60, MARGIN + 100 - 10)
    assert near(taken[ring], GOLD, 40) and not near(opened_on[ring], GOLD, 40)


def test_the_door_opens_to_who_holds_the_key():
    family = DarkKeyToDoor(size=5)
    pane = (MARGIN + 3 * CELL + 20, MARGIN + 3 * CELL + 20 - 7)
    passed = family.render(KEY_AND_DOOR, episode([2, 3], [3, 3], [4, 3]))
    opened = family.render(KEY_AND_DOOR, episode([1, 0], [1, 1], [2, 3], [3, 3], [4, 3]))
    assert near(passed[pane], DOOR) and near(opened[pane], WALL)


# Shapes


def test_shapes_are_smooth_at_their_edges():
    canvas = Canvas(21, 21, (0, 0, 0))
    canvas.disc((10.5, 10.5), 6.25, (255, 255, 255))
    pixels = canvas.pixels()[..., 0]
    assert pixels[10, 10] == 255 and pixels[0, 0] == 0
    assert ((pixels > 0) & (pixels < 255)).any()
    assert np.array_equal(pixels, pixels.T)


def test_a_shape_may_leave_the_canvas():
    canvas = Canvas(11, 13, (0, 0, 0))
    canvas.disc((-3.0, 20.0), 2.0, (255, 255, 255))
    canvas.line((-5.0, 6.0), (20.0, 6.0), 2.0, (255, 255, 255))
    pixels = canvas.pixels()
    assert pixels[:, 5:7].min() == 255 and pixels[:, 12].max() == 0


def test_pixels_are_a_copy():
    canvas = Canvas(3, 5, (7, 7, 7))
    canvas.pixels()[:] = 0
    assert canvas.pixels().min() == 7
