"""What an onlooker sees of a pole on a cart and of a pendulum, hidden parameters included."""

from collections.abc import Mapping
from itertools import pairwise
from math import cos, pi, radians, sin

import numpy as np

from icrl.families import Episode
from icrl_envs.canvas import Canvas, Point
from icrl_envs.drawing import AGENT, DOOR, FLOOR, GOLD, GRID, TRAIL, WALL, fading

SIDE = 380
"""Pixels of a pendulum's picture, which is square."""
REACH = 2.0
"""Metres from the hinge to its edges."""

WIDTH, HEIGHT, TRACK = 480, 260, 200.0
"""Of a cart's picture, and the row of its track."""
METRE = 88.0
NEWTON = 4.5
"""Pixels of each."""


def pendulum_picture(task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
    """The rod to scale, its weight (as large as its mass), the way of its tip and the last torque,
    [380, 380, 3] uint8.
    """
    seen = np.asarray(episode.observation.cpu(), np.float64)
    length, mass = float(task["length"]), float(task["mass"])
    scale = SIDE / 2 / REACH
    hinge = (SIDE / 2, SIDE / 2)
    tips = [(SIDE / 2 - scale * length * c, SIDE / 2 - scale * length * s) for c, s, _ in seen]
    canvas = Canvas(SIDE, SIDE, WALL)
    canvas.box(hinge, (SIDE - 20, SIDE - 20), 6.0, FLOOR)
    canvas.ring(hinge, scale, 1.5, GRID)  # what it would reach at 1 m
    canvas.line((hinge[0] - scale * length, hinge[1]), hinge, 1.5, GRID)
    ways = list(pairwise(tips))
    canvas.trail(ways, 3.5, [TRAIL] * len(ways), fading(len(ways)))
    canvas.line(hinge, tips[-1], 7.0, AGENT)
    canvas.disc(tips[-1], 10 * mass**0.5 + 1.5, WALL)
    canvas.disc(tips[-1], 10 * mass**0.5, GOLD)
    if len(episode.action):
        _torque(canvas, hinge, float(episode.action[-1, 0]))
    canvas.disc(hinge, 5.0, WALL)
    return canvas.pixels()


def _torque(canvas: Canvas, hinge: Point, torque: float) -> None:
    """An arc around the hinge, an eighth of a turn at 2 N m; to the left if positive."""
    ends = np.linspace(0, pi / 4 * float(np.clip(torque, -2, 2)), 13)
    arc = [(hinge[0] - 26 * cos(angle), hinge[1] - 26 * sin(angle)) for angle in ends]
    for before, after in pairwise(arc):
        canvas.line(before, after, 5.0, DOOR)


def cart_pole_picture(task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
    """The cart, the pole to scale, the tilts at which it has fallen, and the last push (as long as
    its force), [260, 480, 3] uint8.
    """
    place, _, tilt, _ = np.asarray(episode.observation[-1].cpu(), np.float64).tolist()
    pole = 2 * METRE * float(task["length"])
    cart = (TRACK - 14, WIDTH / 2 + METRE * place)

    def tip(angle: float, reach: float) -> Point:
        return cart[0] - reach * cos(angle), cart[1] + reach * sin(angle)

    canvas = Canvas(HEIGHT, WIDTH, WALL)
    canvas.box((HEIGHT / 2, WIDTH / 2), (HEIGHT - 20, WIDTH - 20), 6.0, FLOOR)
    left, right = (WIDTH / 2 + METRE * end for end in (-2.4, 2.4))
    canvas.line((TRACK, left), (TRACK, right), 3.0, GRID)
    for column in (left, right):
        canvas.line((TRACK - 10, column), (TRACK + 10, column), 3.0, GRID)
    for side in (-1, 1):
        canvas.line(cart, tip(side * radians(12), pole), 1.5, GRID)
    if len(episode.action):
        _push(canvas, cart, float(task["force"]), right=bool(episode.action[-1] == 1))
    canvas.box(cart, (28, 56), 6.0, TRAIL)
    canvas.line(cart, tip(tilt, pole), 8.0, GOLD)
    canvas.disc(cart, 5.0, WALL)
    return canvas.pixels()


def _push(canvas: Canvas, cart: Point, force: float, *, right: bool) -> None:
    """An arrow that leads away from the cart on the side that it is pushed to."""
    side = 1 if right else -1
    row, near = cart[0], cart[1] + 34 * side
    far = near + NEWTON * force * side
    canvas.line((row, near), (row, far), 5.0, DOOR)
    for way in (-8, 8):
        canvas.line((row, far), (row + way, far - 8 * side), 5.0, DOOR)
