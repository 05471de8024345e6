"""Pictures of keypads: what each action does, for the onlooker."""

import numpy as np
import pytest

from icrl_envs.drawing import AGENT, FLOOR, GOLD
from icrl_envs.keypad_drawing import MARGIN, MOST, PRESSED, keypad_picture

STAY, UP, RIGHT, DOWN, LEFT = range(5)
KEY, EDGE = int(MOST), int(MARGIN)


def picture(*moves, pressed=None):
    """A column of keys, each of one move."""
    return keypad_picture(np.array(moves)[:, None], pressed, len(moves) * KEY + 2 * EDGE).astype(
        int
    )


def key(drawn, row):
    """The pixels of a key in the column."""
    return drawn[EDGE + row * KEY : EDGE + (row + 1) * KEY, EDGE : EDGE + KEY]


def near(pixel, colour):
    return np.abs(pixel - colour).max() <= 12


def test_every_action_has_a_key():
    drawn = picture(STAY, UP, RIGHT)
    assert drawn.shape == (3 * KEY + 2 * EDGE, KEY + 2 * EDGE, 3)
    assert all(near(key(drawn, row)[6, 32], FLOOR) for row in range(3))


@pytest.mark.parametrize(
    ("move", "ahead"), [(UP, (-1, 0)), (RIGHT, (0, 1)), (DOWN, (1, 0)), (LEFT, (0, -1))]
)
@pytest.mark.parametrize("side", [-6, 6])
def test_an_arrowhead_shows_where_a_move_goes(move, ahead, side):
    """Beside the way there is something near its tip, and nothing near its start."""
    part = key(picture(move, STAY), 0)
    for along, colour in ((5, AGENT), (-5, FLOOR)):
        row = KEY // 2 + along * ahead[0] + side * ahead[1]
        column = KEY // 2 + along * ahead[1] + side * ahead[0]
        assert near(part[row, column], colour)


def test_staying_is_a_ring_alone():
    part = key(picture(STAY), 0)
    inked = np.argwhere(np.abs(part - AGENT).max(-1) <= 12)
    assert np.hypot(*(inked - (KEY - 1) / 2).T).max() < 0.13 * KEY
    assert near(part[KEY // 2, KEY // 2], FLOOR)


@pytest.mark.parametrize(("moves", "corner"), [((UP, RIGHT), (-1, -1)), ((RIGHT, UP), (1, 1))])
def test_a_way_bends_where_its_moves_do(moves, corner):
    """Both lead to the upper right; one by the upper left corner, one by the lower right."""
    part = keypad_picture(np.array([moves]), None, KEY + 2 * EDGE)[EDGE : EDGE + KEY, EDGE:]
    at, other = ([KEY // 2 + way * 11 * c for c in corner] for way in (1, -1))
    assert near(part[*at].astype(int), AGENT) and near(part[*other].astype(int), FLOOR)


def test_the_key_that_was_pressed_is_lit():
    drawn = picture(UP, UP, pressed=1)
    assert near(key(drawn, 1)[8, 8], PRESSED) and near(key(drawn, 0)[8, 8], FLOOR)
    assert len(np.argwhere(np.abs(key(drawn, 1) - GOLD).max(-1) <= 12)) > 50


def test_many_keys_share_the_height():
    drawn = keypad_picture(np.zeros((50, 3), np.int64), None, 380)
    assert drawn.shape == (380, 5 * 36 + 20, 3)
