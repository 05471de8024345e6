"""What an onlooker sees of an arena from above, and the agent's own view beside a map."""

import math
from itertools import pairwise

import numpy as np

from icrl_envs.canvas import Canvas, Point
from icrl_envs.drawing import AGENT, GOLD, TRAIL, WALL, fading
from icrl_envs.wallpapers import CUE_TURN, CUES

SIDE, MARGIN = 300, 12
"""Pixels along a map, and around its world."""
WATER = (52, 84, 112)
GAZE = 45.0
"""Half of the field of view, in degrees, as it is drawn."""


def arena_map(
    radius: float, path: np.ndarray, gaze: np.ndarray, platform: np.ndarray, platform_radius: float
) -> np.ndarray:
    """A round pool with its cues, the platform that only the onlooker sees, and a path.

    Args:
        radius: of the wall.
        path: places (x, y), the opening first, [time + 1, 2].
        gaze: where the agent looks, of length one, [2].
        platform: its place, [2].
        platform_radius: how near is on it.

    Returns:
        [side, side, 3] uint8.
    """
    scale = (SIDE / 2 - 2 * MARGIN) / radius

    def at(x: float, y: float) -> Point:
        return SIDE / 2 - y * scale, SIDE / 2 + x * scale

    canvas = Canvas(SIDE, SIDE, WALL)
    canvas.disc(at(0, 0), radius * scale, WATER)
    for cue in CUES:
        turns = np.linspace(cue.turn - CUE_TURN / 2, cue.turn + CUE_TURN / 2, 7)
        arc = [
            at(-radius * math.cos(math.tau * t), -radius * math.sin(math.tau * t)) for t in turns
        ]
        for one, other in pairwise(arc):
            canvas.line(one, other, 8, cue.colour)
    middle = at(*platform.tolist())
    canvas.glow(middle, 2.2 * platform_radius * scale, GOLD, 0.4)
    canvas.ring(middle, platform_radius * scale, 2.5, GOLD)
    _walk(canvas, [at(x, y) for x, y in path.tolist()], (-gaze[1], gaze[0]), 12)
    return canvas.pixels()


def side_by_side(above: np.ndarray, view: np.ndarray) -> np.ndarray:
    """A map, and to its right the agent's view as large as fits beside it."""
    times = max(1, len(above) // len(view))
    view = view.repeat(times, axis=0).repeat(times, axis=1)
    height = max(len(above), len(view))
    picture = np.empty((height, above.shape[1] + view.shape[1], 3), np.uint8)
    picture[:] = WALL
    for part, left in ((above, 0), (view, above.shape[1])):
        top = (height - len(part)) // 2
        picture[top : top + len(part), left : left + part.shape[1]] = part
    return picture


def _walk(canvas: Canvas, places: list[Point], gaze: tuple[float, float], size: float) -> None:
    """A trail that fades with age, and at its end the agent and how wide it sees."""
    moves = [(one, other) for one, other in pairwise(places) if one != other]
    canvas.trail(moves, 0.3 * size, [TRAIL] * len(moves), fading(len(moves)))
    canvas.ring(places[0], 0.35 * size, 0.15 * size, AGENT, 0.55)
    (row, column), (down, right) = places[-1], gaze
    for angle in (-GAZE, GAZE):
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        tip = (
            row + 1.6 * size * (down * cos - right * sin),
            column + 1.6 * size * (down * sin + right * cos),
        )
        canvas.line((row, column), tip, 0.14 * size, AGENT)
    canvas.disc((row, column), 0.6 * size, WALL, 0.6)
    canvas.disc((row, column), 0.52 * size, AGENT)
