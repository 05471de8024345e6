"""Wallpapers: what walls look like, as vertical slices of colour."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Colour = tuple[int, int, int]

SLICES, CUE_WIDTH = 24, 14
"""Slices of a wall from the top down, and vertical lines of a cue."""
PLACES = 1024
"""Places around an arena that can look different."""


class Cue(NamedTuple):
    """A picture on the wall of an arena."""

    turn: float
    """Where its middle is, in turns from (-1, 0) counter-clockwise."""
    colour: Colour
    """Of the figure."""
    ground: Colour
    """Around the figure."""
    figure: str
    """What it shows: one that `_figure` knows."""


CUES = (
    Cue(0.05, (64, 110, 230), (240, 236, 214), "disc"),
    Cue(0.22, (236, 200, 60), (60, 44, 110), "checks"),
    Cue(0.47, (214, 52, 48), (246, 232, 206), "cross"),
    Cue(0.66, (38, 150, 84), (232, 240, 226), "triangle"),
    Cue(0.86, (232, 232, 240), (36, 36, 48), "stripes"),
)
CUE_TURN = 0.075
"""How far a cue reaches around the arena, in turns."""
PLASTER: tuple[Colour, Colour] = ((176, 160, 140), (164, 148, 129))
"""The wall between the cues: two tones, in panels."""
PANELS = 40


def arena_paper() -> tuple[np.ndarray, Tensor]:
    """The wall of an arena with its cues.

    Returns:
        materials [materials, slices, 3] from 0 to 255, and the material at each place around the
        arena, [places] int32, in turns from (-1, 0) counter-clockwise.
    """
    plaster = np.repeat(np.array(PLASTER, float)[:, None], SLICES, axis=1)
    cues = np.concatenate([_cue(cue) for cue in CUES])
    turn = (np.arange(PLACES) + 0.5) / PLACES
    material = (turn * PANELS).astype(int) % len(PLASTER)
    for number, cue in enumerate(CUES):
        # Seen from inside, turns grow to the left, and a picture's lines to the right.
        line = (cue.turn + CUE_TURN / 2 - turn) / CUE_TURN * CUE_WIDTH
        there = (line >= 0) & (line < CUE_WIDTH)
        first = len(PLASTER) + number * CUE_WIDTH
        material = np.where(there, first + line.astype(int), material)
    return np.concatenate((plaster, cues)), torch.from_numpy(material.astype(np.int32))


def _cue(cue: Cue) -> np.ndarray:
    """A cue's vertical lines, left to right, [lines, slices, 3], plaster above and below it."""
    top, bottom = round(0.12 * SLICES), round(0.9 * SLICES)
    x = (np.arange(CUE_WIDTH)[:, None] + 0.5) / CUE_WIDTH * 2 - 1
    y = (np.arange(bottom - top)[None, :] + 0.5) / (bottom - top) * 2 - 1
    lines = np.empty((CUE_WIDTH, SLICES, 3))
    lines[:] = PLASTER[0]
    lines[:, top:bottom] = np.where(_figure(cue.figure, x, y)[..., None], cue.colour, cue.ground)
    return lines


def _figure(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where a figure is, of points right and down of its middle, both between -1 and 1."""
    figures = {
        "disc": x * x + y * y < 0.7,
        "checks": ((x * 2 + 2).astype(int) + (y * 2 + 2).astype(int)) % 2 == 0,
        "cross": (np.abs(x) < 0.28) | (np.abs(y) < 0.28),
        "triangle": (np.abs(x) < (y + 0.8) / 1.8) & (y < 0.8),
        "stripes": (x * 3.5 + 3.5).astype(int) % 2 == 0,
    }
    return figures[name]


FACE_WIDTH = 16
"""Vertical lines of one face of a maze's wall."""
BRICKS: tuple[Colour, Colour] = ((168, 108, 84), (126, 118, 128))
"""Faces that look north or south, and faces that look west or east."""
MORTAR: Colour = (92, 82, 78)
TARGET: Colour = (60, 214, 120)
TARGET_MATERIAL = len(BRICKS) * FACE_WIDTH
"""The material of the pillar at the target, after those of the faces."""


def maze_paper() -> np.ndarray:
    """The walls of a maze, [materials, slices, 3] from 0 to 255: the lines of a face that looks
    north or south, of one that looks west or east, and the target's.
    """
    line = np.arange(FACE_WIDTH)[:, None]
    course, within = np.divmod(np.arange(SLICES)[None, :], 6)
    seam = (within == 5) | ((line + course % 2 * 4) % 8 == 7) | (line == 0)
    faces = [np.where(seam[..., None], MORTAR, colour) for colour in BRICKS]
    rings = np.where(np.arange(SLICES)[:, None] // 3 % 2 == 0, TARGET, np.array(TARGET) * 0.72)
    return np.concatenate((*faces, rings[None])).astype(float)
