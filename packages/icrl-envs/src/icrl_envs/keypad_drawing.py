"""What an onlooker sees of actions whose meaning is hidden: keys, each with the moves it makes."""

from itertools import pairwise

import numpy as np
from torch import Tensor

from icrl_envs.canvas import Canvas, Colour, Point
from icrl_envs.drawing import AGENT, FLOOR, GOLD, WALL, Picture
from icrl_envs.rooms import MOVES

PRESSED: Colour = (84, 94, 132)
LEAST, MOST = 34.0, 64.0
"""Pixels along a key's side."""
MARGIN = 10.0


def with_keypad(picture: Picture, moves: Tensor, actions: Tensor) -> np.ndarray:
    """A room, and to its right the keypad that was used in it, [height, width, 3] uint8.

    Args:
        picture: of the room.
        moves: what each action makes, [actions, length].
        actions: those of the episode, [time].
    """
    room = picture.pixels()
    pressed = int(actions[-1]) if len(actions) else None
    return np.concatenate((room, keypad_picture(moves.numpy(), pressed, len(room))), axis=1)


def keypad_picture(moves: np.ndarray, pressed: int | None, height: int) -> np.ndarray:
    """A key for each action, row by row, the first one at the upper left, [height, width, 3] uint8.

    A key shows a ring where its moves begin, the way they go in an open room, and an arrowhead at
    the end; moves that stay leave the ring alone. The key that was pressed last is lit and its way
    golden.

    Args:
        moves: what each action makes, numbered as in `MOVES`, [actions, length].
        pressed: the last action; None if there was none.
        height: of the picture.
    """
    most_rows = max(1, int((height - 2 * MARGIN) // LEAST))
    columns = -(-len(moves) // most_rows)
    rows = -(-len(moves) // columns)
    key = min(MOST, (height - 2 * MARGIN) / rows)
    top = (height - rows * key) / 2
    canvas = Canvas(height, int(columns * key + 2 * MARGIN), WALL)
    for action, way in enumerate(moves.tolist()):
        row, column = divmod(action, columns)
        middle = top + (row + 0.5) * key, MARGIN + (column + 0.5) * key
        lit = action == pressed
        canvas.box(middle, (0.9 * key, 0.9 * key), 0.15 * key, PRESSED if lit else FLOOR)
        _draw_way(canvas, _way(way, middle, key), 0.08 * key, GOLD if lit else AGENT)
    return canvas.pixels()


def _way(moves: list[int], middle: Point, key: float) -> list[Point]:
    """The places of a way without walls, centred in a key that it fits into."""
    places = np.cumsum([(0, 0), *(MOVES[move] for move in moves)], axis=0).astype(float)
    low, high = places.min(0), places.max(0)
    step = min(0.36, 0.56 / max((high - low).max(), 1)) * key
    return [
        (middle[0] + down * step, middle[1] + right * step)
        for down, right in places - (low + high) / 2
    ]


def _draw_way(canvas: Canvas, places: list[Point], width: float, colour: Colour) -> None:
    canvas.ring(places[0], 1.1 * width, 0.7 * width, colour)
    moves = [(one, other) for one, other in pairwise(places) if one != other]
    for one, other in moves:
        canvas.line(one, other, width, colour)
    if moves:
        _draw_head(canvas, *moves[-1], width, colour)


def _draw_head(canvas: Canvas, one: Point, tip: Point, width: float, colour: Colour) -> None:
    down, right = np.sign(tip[0] - one[0]), np.sign(tip[1] - one[1])
    for side in (-1, 1):
        back = 2 * width * (-down + side * right), 2 * width * (-right + side * down)
        canvas.line(tip, (tip[0] + back[0], tip[1] + back[1]), width, colour)
