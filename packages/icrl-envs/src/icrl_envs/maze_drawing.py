"""What an onlooker sees of a maze: walls, goal, the way so far, the agent and its window."""

from itertools import pairwise

import numpy as np

from icrl_envs.canvas import Canvas, Colour, Point
from icrl_envs.drawing import AGENT, FLOOR, GOLD, TRAIL, WALL, fading
from icrl_envs.maze_poses import GOAL
from icrl_envs.maze_poses import WALL as WALL_CELL
from icrl_envs.perfect_mazes import STEPS

STONE: Colour = (88, 97, 128)
SEEN_FLOOR: Colour = (62, 72, 102)
SEEN_STONE: Colour = (122, 134, 172)


def maze_picture(maze: np.ndarray, walk: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A maze from above, [height, width, 3] uint8.

    Args:
        maze: what each cell holds, [side, side].
        walk: the poses of the episode, [time + 1].
        seen: the cells that the agent sees now; they are lit.
    """
    side = len(maze)
    cell = float(min(34, max(12, 420 // side)))
    canvas = Canvas(int(side * cell), int(side * cell), WALL)
    lit = set(seen.tolist())
    for number, holds in enumerate(maze.reshape(-1).tolist()):
        colours = (SEEN_STONE, SEEN_FLOOR) if number in lit else (STONE, FLOOR)
        colour = colours[0] if holds == WALL_CELL else colours[1]
        canvas.box(_middle(number, side, cell), (cell, cell), 0.0, colour)
    for number in np.flatnonzero(maze.reshape(-1) == GOAL).tolist():
        middle = _middle(number, side, cell)
        canvas.glow(middle, 1.6 * cell, GOLD, 0.35)
        canvas.ring(middle, 0.34 * cell, 0.09 * cell, GOLD)
        canvas.disc(middle, 0.16 * cell, GOLD)
    middles = [_middle(pose // 4, side, cell) for pose in walk.tolist()]
    moves = [(one, other) for one, other in pairwise(middles) if one != other]
    canvas.trail(moves, 0.16 * cell, [TRAIL] * len(moves), fading(len(moves)))
    canvas.ring(middles[0], 0.13 * cell, 0.05 * cell, AGENT, 0.55)
    down, right = STEPS[int(walk[-1]) % 4]
    (row, column) = middles[-1]
    canvas.glow(middles[-1], 0.9 * cell, AGENT, 0.3)
    nose = (row + 0.42 * cell * down, column + 0.42 * cell * right)
    canvas.line(middles[-1], nose, 0.14 * cell, AGENT)
    canvas.disc(middles[-1], 0.26 * cell, AGENT)
    return canvas.pixels()


def _middle(number: int, side: int, cell: float) -> Point:
    return (number // side + 0.5) * cell, (number % side + 0.5) * cell
