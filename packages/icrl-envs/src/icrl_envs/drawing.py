"""Picture: a dark room as an onlooker sees it, goals included."""

from itertools import pairwise

import numpy as np
import torch

from icrl_envs.canvas import Canvas, Colour, Point
from icrl_envs.rooms import Room

WALL: Colour = (22, 25, 37)
GRID: Colour = (35, 39, 55)
FLOOR: Colour = (43, 48, 67)
AGENT: Colour = (240, 244, 250)
TRAIL: Colour = (110, 168, 254)
GOLD: Colour = (245, 190, 92)
DOOR: Colour = (214, 120, 98)
OPEN: Colour = (126, 200, 150)

HALF_LIFE = 10
"""Moves after which a part of the trail has lost half of its light."""


class Picture:
    """A room, cell by cell; what is drawn later lies on top."""

    def __init__(self, room: Room) -> None:
        longest = max(room.rows, room.columns)
        self._cell = cell = float(min(40, max(12, 800 // longest)))
        self._margin = margin = cell / 4
        self._canvas = Canvas(
            int(room.rows * cell + 2 * margin), int(room.columns * cell + 2 * margin), WALL
        )
        floor = (room.rows * cell, room.columns * cell)
        self._canvas.box((floor[0] / 2 + margin, floor[1] / 2 + margin), floor, 0.14 * cell, GRID)
        for position in room.every_position.tolist():
            self._canvas.box(self._middle(position), (0.94 * cell, 0.94 * cell), 0.14 * cell, FLOOR)

    def pixels(self) -> np.ndarray:
        """The picture, [height, width, 3] uint8."""
        return self._canvas.pixels()

    def goal(self, position: np.ndarray) -> None:
        """A golden target."""
        middle, cell = self._middle(position), self._cell
        self._canvas.glow(middle, 1.6 * cell, GOLD, 0.35)
        self._canvas.ring(middle, 0.34 * cell, 0.075 * cell, GOLD)
        self._canvas.disc(middle, 0.16 * cell, GOLD)

    def key(self, position: np.ndarray, *, taken: bool) -> None:
        """A golden key; a faint ring where it was once it is taken."""
        (row, column), cell = self._middle(position), self._cell
        if taken:
            self._canvas.ring((row, column), 0.3 * cell, 0.05 * cell, GOLD, 0.5)
            return
        self._canvas.glow((row, column), 1.4 * cell, GOLD, 0.3)
        width = 0.085 * cell
        self._canvas.ring((row, column - 0.17 * cell), 0.13 * cell, width, GOLD)
        self._canvas.line((row, column - 0.03 * cell), (row, column + 0.31 * cell), width, GOLD)
        for tooth in (0.17, 0.29):
            foot = (row + 0.14 * cell, column + tooth * cell)
            self._canvas.line((row, column + tooth * cell), foot, width, GOLD)

    def door(self, position: np.ndarray, *, opened: bool) -> None:
        """A door; green and open once it was opened."""
        (row, column), cell = self._middle(position), self._cell
        colour = OPEN if opened else DOOR
        self._canvas.glow((row, column), 1.5 * cell, colour, 0.35)
        self._canvas.box((row, column), (0.82 * cell, 0.58 * cell), 0.1 * cell, colour)
        if opened:
            self._canvas.box((row, column), (0.68 * cell, 0.44 * cell), 0.06 * cell, WALL)
        else:
            self._canvas.disc((row + 0.03 * cell, column + 0.16 * cell), 0.06 * cell, WALL)

    def walk(self, positions: torch.Tensor, *, key_time: int | None = None) -> None:
        """The trail through positions [time + 1, 2], fading with age, and the agent at its end.

        From step `key_time` on, the trail is golden, and so is a ring around the agent.
        """
        middles = [self._middle(position) for position in positions.tolist()]
        moves = [t for t, (one, other) in enumerate(pairwise(middles)) if one != other]
        self._canvas.trail(
            [(middles[t], middles[t + 1]) for t in moves],
            0.16 * self._cell,
            [TRAIL if key_time is None or t < key_time else GOLD for t in moves],
            fading(len(moves)),
        )
        self._canvas.ring(middles[0], 0.13 * self._cell, 0.05 * self._cell, AGENT, 0.55)
        self._canvas.glow(middles[-1], 0.9 * self._cell, AGENT, 0.3)
        self._canvas.disc(middles[-1], 0.27 * self._cell, WALL, 0.6)
        self._canvas.disc(middles[-1], 0.24 * self._cell, AGENT)
        if key_time is not None:
            self._canvas.ring(middles[-1], 0.24 * self._cell, 0.08 * self._cell, GOLD)

    def _middle(self, position: np.ndarray | list[int]) -> Point:
        row, column = (float(p) for p in position)
        return (
            self._margin + (row + 0.5) * self._cell,
            self._margin + (column + 0.5) * self._cell,
        )


def fading(moves: int) -> list[float]:
    """How opaque each of so many moves of a trail is, the oldest one first."""
    return [0.2 + 0.75 * 0.5 ** (age / HALF_LIFE) for age in reversed(range(moves))]
