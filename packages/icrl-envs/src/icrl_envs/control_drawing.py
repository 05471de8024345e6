"""Pictures of MuJoCo's bodies and of their speed, without OpenGL: capsules as thick lines."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import cos, sin
from typing import Any

import numpy as np

from icrl.families import Episode
from icrl.wrapped.ids import find_spec, make
from icrl_envs.canvas import Canvas, Colour, Point
from icrl_envs.drawing import AGENT, FLOOR, GOLD, TRAIL, WALL

GROUND: Colour = (58, 64, 88)
HEAVY: Colour = (226, 105, 92)

WIDTH, SCENE, CHART = 480, 240, 110
METRE = 90.0
"""Pixels."""
FLOOR_ROW = 200.0

Limb = tuple[int, np.ndarray, np.ndarray, float]
"""A body's number, two ends [3] in metres, a radius."""


def side_view(
    simulator: str,
    episode: Episode,
    num_positions: int,
    horizon: int,
    *,
    wanted: float | None = None,
    side: int = 0,
    weights: np.ndarray | None = None,
    hidden: Sequence[float] = (),
) -> np.ndarray:
    """A body that runs in a plane, and its speed over time, [height, width, 3] uint8.

    Args:
        simulator: Gymnasium's id.
        episode: its observations begin with `num_positions` positions, then the speed along x.
        num_positions: see above.
        horizon: the chart's length in steps.
        wanted: a speed that is asked for.
        side: 1 or -1 if speeds above or below zero are asked for.
        weights: how heavy each part is, from -1 (light) to 1 (heavy).
        hidden: numbers that are not told, each from -1 to 1, drawn as bars above.
    """
    seen = np.asarray(episode.observation.cpu(), np.float64)
    speeds = seen[:, num_positions]
    travelled = speeds[1:].sum() * _step_seconds(simulator)
    canvas = Canvas(SCENE + CHART, WIDTH, WALL)
    canvas.line((FLOOR_ROW, -9), (FLOOR_ROW, WIDTH + 9), 3, GROUND)
    for mark in range(int(travelled) - 4, int(travelled) + 5):
        column = WIDTH / 2 + METRE * (mark - travelled)
        canvas.line((FLOOR_ROW, column), (FLOOR_ROW + 12, column), 3, GROUND)
    for body, one, other, radius in _limbs(simulator, seen[-1, :num_positions]):
        ends = [(FLOOR_ROW - METRE * z, WIDTH / 2 + METRE * x) for x, _, z in (one, other)]
        canvas.line(ends[0], ends[1], 2 * radius * METRE, _shade(body, weights))
    for line, number in enumerate(hidden):
        _bar(canvas, line, number)
    _chart(canvas, speeds[1:], horizon, wanted, side)
    return canvas.pixels()


def top_view(
    simulator: str,
    episode: Episode,
    horizon: int,
    angle: float,
    *,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Ant from above: its way, the wanted direction and the speed along it, [height, width, 3].

    `weights` are `side_view`'s.
    """
    seen = np.asarray(episode.observation.cpu(), np.float64)
    velocities = seen[1:, 13:15]
    way = np.vstack((np.zeros(2), np.cumsum(velocities, 0) * _step_seconds(simulator)))
    scale = min(METRE / 2, 0.4 * SCENE / max(np.abs(way).max(), 1.5))

    def place(x: float, y: float) -> Point:
        return SCENE / 2 - scale * y, WIDTH / 2 + scale * x

    canvas = Canvas(SCENE + CHART, WIDTH, WALL)
    ray = 2.4 * METRE / scale
    canvas.line(place(0, 0), place(ray * cos(angle), ray * sin(angle)), 4, GOLD)
    for before, after in pairwise(way):
        canvas.line(place(*before), place(*after), 3, TRAIL)
    for body, one, other, radius in _limbs(simulator, seen[-1, :13]):
        ends = [place(way[-1, 0] + end[0], way[-1, 1] + end[1]) for end in (one, other)]
        canvas.line(ends[0], ends[1], 2 * radius * scale, _shade(body, weights))
    canvas.box((SCENE + CHART / 2, WIDTH / 2), (CHART, WIDTH), 0, WALL)
    _chart(canvas, velocities @ np.array([cos(angle), sin(angle)]), horizon, None, 1)
    return canvas.pixels()


def _chart(
    canvas: Canvas,
    speeds: Sequence[float] | np.ndarray,
    horizon: int,
    wanted: float | None,
    side: int,
) -> None:
    """Speeds over time below the scene, on a scale of ±4 m/s that grows where they are beyond."""
    middle, half = SCENE + CHART / 2, CHART / 2 - 10
    most = max([4.0, *np.abs(speeds)])

    def place(step: float, speed: float) -> Point:
        return middle - half * speed / most, 12 + (WIDTH - 24) * step / horizon

    if side:
        centre = (middle - side * half / 2, WIDTH / 2)
        canvas.box(centre, (half, WIDTH - 24), 0, FLOOR)
    canvas.line(place(0, 0), place(horizon, 0), 1.5, GROUND)
    if wanted is not None:
        canvas.line(place(0, wanted), place(horizon, wanted), 2.5, GOLD)
    points = [place(step + 1, speed) for step, speed in enumerate(speeds)]
    for before, after in pairwise(points):
        canvas.line(before, after, 2, TRAIL)
    if points:
        canvas.disc(points[-1], 4, AGENT)


def _bar(canvas: Canvas, line: int, number: float) -> None:
    """A number from a middle to the left (blue) or to the right (red)."""
    row, middle, half = 14.0 + 12 * line, 60.0, 48
    canvas.line((row, middle - half), (row, middle + half), 2, GROUND)
    canvas.line((row, middle), (row, middle + half * number), 7, HEAVY if number > 0 else TRAIL)
    canvas.line((row - 5, middle), (row + 5, middle), 2, AGENT)


def _shade(body: int, weights: np.ndarray | None) -> Colour:
    weight = 0.0 if weights is None else float(weights[body - 1])
    towards, share = (HEAVY if weight > 0 else TRAIL), min(abs(weight), 1.0)
    red, green, blue = (round(b + share * (t - b)) for b, t in zip(AGENT, towards, strict=True))
    return red, green, blue


def _limbs(simulator: str, positions: np.ndarray) -> list[Limb]:
    """Where the parts of a body are that stands so; its place along the way is not said."""
    import mujoco

    env = _simulator(simulator)
    model, data = env.model, env.data
    data.qpos[:] = [*[0.0] * (model.nq - len(positions)), *positions]
    mujoco.mj_kinematics(model, data)
    limbs = []
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] == 0:
            continue
        capsule = model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE
        reach = data.geom_xmat[geom].reshape(3, 3)[:, 2] * model.geom_size[geom, 1] * capsule
        place, radius = data.geom_xpos[geom], float(model.geom_size[geom, 0])
        limbs.append((int(model.geom_bodyid[geom]), place - reach, place + reach, radius))
    return limbs


def after_speed(episode: Episode) -> Episode:
    """The episode without the first number that is observed."""
    return replace(episode, observation=episode.observation[:, 1:])


def _step_seconds(simulator: str) -> float:
    return float(_simulator(simulator).dt)


@cache
def _simulator(simulator: str) -> Any:
    """An environment whose body is moved for drawing alone."""
    return make(find_spec(simulator), {}).unwrapped
