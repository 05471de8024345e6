"""What an onlooker sees of a point in the plane: the axes, the goal, and the way so far."""

from itertools import pairwise

import numpy as np

from icrl_envs.canvas import Canvas, Point
from icrl_envs.drawing import AGENT, FLOOR, GOLD, GRID, TRAIL, WALL, fading

SIDE, MARGIN = 380, 10.0
EXTENT = 1.3
"""The picture shows what lies between -EXTENT and EXTENT; farther, the way leaves it."""


def plane_picture(goal: np.ndarray, radius: float | None, walk: np.ndarray) -> np.ndarray:
    """The plane, x to the right and y up, [380, 380, 3] uint8.

    Args:
        goal: x and y.
        radius: within which the goal pays; None if it pays everywhere.
        walk: where the point was, [time + 1, 2].
    """
    canvas = Canvas(SIDE, SIDE, WALL)
    inside = SIDE - 2 * MARGIN
    canvas.box((SIDE / 2, SIDE / 2), (inside, inside), 6.0, FLOOR)
    for at in (-1.0, -0.5, 0.0, 0.5, 1.0):
        for one, other in (((at, -EXTENT), (at, EXTENT)), ((-EXTENT, at), (EXTENT, at))):
            canvas.line(_pixel(one), _pixel(other), 1.0, GRID)
    if radius is not None:
        canvas.ring(_pixel(goal), radius * inside / (2 * EXTENT), 2.0, GOLD, 0.8)
    canvas.glow(_pixel(goal), 46.0, GOLD, 0.4)
    canvas.ring(_pixel(goal), 9.0, 2.5, GOLD)
    canvas.disc(_pixel(goal), 4.5, GOLD)
    points = [_pixel(place) for place in walk]
    moves = list(pairwise(points))
    canvas.trail(moves, 4.0, [TRAIL] * len(moves), fading(len(moves)))
    canvas.ring(points[0], 5.0, 2.0, AGENT, 0.55)
    canvas.disc(points[-1], 8.5, WALL, 0.6)
    canvas.disc(points[-1], 7.0, AGENT)
    return canvas.pixels()


def _pixel(place: np.ndarray | tuple[float, float]) -> Point:
    x, y = (float(p) for p in place)
    scale = (SIDE - 2 * MARGIN) / (2 * EXTENT)
    return SIDE / 2 - y * scale, SIDE / 2 + x * scale
