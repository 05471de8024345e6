"""What an onlooker sees of a classification: the image, and the guesses so far.

┌───────┐  ▣ ▣ ▣ ▣ ▣     one tile a guess, row by row, which shows an example of that label;
│ image │  ▣ ▣ · · ·     wrong ones are crossed out, the right one is framed
└───────┘  · · · · ·
"""

import math

import numpy as np

from icrl_envs.canvas import Canvas, Colour, Point
from icrl_envs.drawing import AGENT, DOOR, FLOOR, GOLD, WALL

SIDE, MARGIN = 240, 14
"""Pixels along the image, and around it."""
MOST_TILES = 100
"""Of a longer episode the last guesses are shown."""
FAINT: Colour = (150, 160, 194)


def guesses_picture(
    image: np.ndarray, examples: np.ndarray, guesses: list[int], label: int, horizon: int
) -> np.ndarray:
    """An image and guesses, [height, width, 3] uint8.

    Args:
        image: from 0 to 1, [height, width].
        examples: an image of each label, from 0 to 1, [labels, height, width].
        guesses: the labels that were guessed.
        label: the right one.
        horizon: how many guesses there may be.
    """
    tiles = min(horizon, MOST_TILES)
    columns = math.ceil(math.sqrt(1.25 * tiles))
    tile = SIDE // math.ceil(tiles / columns)
    canvas = Canvas(SIDE + 2 * MARGIN, SIDE + 3 * MARGIN + columns * tile, WALL)
    canvas.paste(MARGIN, MARGIN, tinted(image, SIDE, WALL, AGENT))
    for place in range(tiles):
        down, right = divmod(place, columns)
        middle = MARGIN + (down + 0.5) * tile, 2 * MARGIN + SIDE + (right + 0.5) * tile
        canvas.box(middle, (0.9 * tile, 0.9 * tile), 0.08 * tile, FLOOR)
        if place < len(guesses):
            guess = guesses[-tiles:][place]
            _tile(canvas, middle, tile, examples[guess], right=guess == label)
    return canvas.pixels()


def tinted(image: np.ndarray, side: int, dark: Colour, light: Colour) -> np.ndarray:
    """An image [height, width] from 0 to 1 in shades between two colours, as large as fits into a
    square, [side, side, 3].
    """
    places = [(np.arange(side) * length // side) for length in image.shape]
    shades = image[np.ix_(*places)][..., None]
    return np.asarray(dark, np.float32) * (1 - shades) + np.asarray(light, np.float32) * shades


def _tile(canvas: Canvas, middle: Point, tile: int, image: np.ndarray, *, right: bool) -> None:
    """One guess."""
    side = max(1, round(0.78 * tile))
    top, left = (round(place - side / 2) for place in middle)
    canvas.paste(top, left, tinted(image, side, FLOOR, GOLD if right else FAINT))
    reach, width = 0.39 * tile, 0.055 * tile
    corners = [(middle[0] + down * reach, middle[1] + reach) for down in (-1, 1)]
    opposite = [(middle[0] + down * reach, middle[1] - reach) for down in (-1, 1)]
    if right:
        for one, other in (corners, opposite, (corners[0], opposite[0]), (corners[1], opposite[1])):
            canvas.line(one, other, width, GOLD)
    else:
        canvas.line(corners[0], opposite[1], width, DOOR)
        canvas.line(corners[1], opposite[0], width, DOOR)
