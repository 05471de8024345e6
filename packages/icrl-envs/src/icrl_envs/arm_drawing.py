"""What an onlooker sees of Meta-World's arm: the table from above and from the side."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from icrl_envs.canvas import Canvas, Point
from icrl_envs.drawing import AGENT, DOOR, FLOOR, GOLD, TRAIL, WALL

HEIGHT, WIDTH, MARGIN = 262, 614, 12.0
METRE = 340.0
"""Pixels."""
NEAREST, REACH = np.array([-0.5, 0.35, -0.05]), np.array([1.0, 0.7, 0.7])
"""Where the pictures begin, along x, y and z in metres, and how far they reach."""
OBJECTS = (4, 11)
"""Where in an observation the objects' places begin; an object that is not there is at zero."""

View: TypeAlias = Callable[[np.ndarray], Point]


def arm_picture(seen: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """From above (x to the right, y up) and from the side (y to the right, z up), [262, 614, 3].

    Args:
        seen: observations [time + 1, 39].
        goal: where the goal is, [3] in metres.
    """
    canvas = Canvas(HEIGHT, WIDTH, WALL)
    for view in (_from_above, _from_the_side):
        one, other = view(NEAREST), view(NEAREST + REACH)
        middle = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
        canvas.box(middle, (abs(one[0] - other[0]), abs(one[1] - other[1])), 6.0, FLOOR)
    for view in (_from_above, _from_the_side):
        _draw(canvas, seen, goal, view)
    return canvas.pixels()


def _draw(canvas: Canvas, seen: np.ndarray, goal: np.ndarray, view: View) -> None:
    canvas.glow(view(goal), 34.0, GOLD, 0.4)
    canvas.ring(view(goal), 9.0, 2.5, GOLD)
    for first in OBJECTS:
        place = seen[-1, first : first + 3]
        if place.any():
            canvas.disc(view(place), 7.0, DOOR)
    points = [view(place) for place in seen[:, :3]]
    moves = list(pairwise(points))
    canvas.trail(moves, 3.0, [TRAIL] * len(moves), [0.6] * len(moves))
    hand, opened = points[-1], float(seen[-1, 3])
    for side in (-1, 1):
        finger = hand[1] + side * (4 + 5 * opened)
        canvas.line((hand[0] - 5, finger), (hand[0] + 5, finger), 4.0, AGENT)
    canvas.disc(hand, 3.0, AGENT)


def _from_above(place: np.ndarray) -> Point:
    x, y, _ = METRE * (place - NEAREST)
    return HEIGHT - MARGIN - y, MARGIN + x


def _from_the_side(place: np.ndarray) -> Point:
    _, y, z = METRE * (place - NEAREST)
    return HEIGHT - MARGIN - z, 2 * MARGIN + METRE * REACH[0] + y
