"""Ray-caster: thousands of first-person views at once, of mazes and of round arenas.

One ray is cast for each column of pixels. How far it goes and what it hits choose a ready-made
strip of pixels (`icrl_envs.strips`), so that a view is a look-up and no pixel is computed twice.

Places are (row, column) in a maze and (x, y) in an arena; to the right of a viewing direction
(a, b) lies (b, -a) in both.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

PARALLEL = 1e-6
"""A component of a ray below which it never crosses the lines of that direction."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera with a level gaze; lengths are in the world's units."""

    height: int
    """Of a view, in pixels."""
    width: int
    """Of a view, in pixels."""
    field_of_view: float
    """Across the width, in degrees."""
    eye: float
    """Height of the eye above the floor."""
    wall: float
    """Height of every wall above the floor."""

    @cached_property
    def focal_length(self) -> float:
        """In pixels: what is as far as it is wide covers so many."""
        return self.width / 2 / math.tan(math.radians(self.field_of_view / 2))

    def slopes(self, device: torch.device | str = "cpu") -> Tensor:
        """How far to the right each column's ray goes for every unit ahead, [width] float32."""
        columns = torch.arange(self.width, device=device) + (0.5 - self.width / 2)
        return columns / self.focal_length


class WallsHit(NamedTuple):
    """Where rays met the walls of a maze."""

    distance: Tensor
    """[envs, width] float32: along the gaze (not along the ray, so that walls look straight)."""
    across: Tensor
    """[envs, width] bool: whether the face that was hit looks along a row (west or east)."""
    along: Tensor
    """[envs, width] float32 in [0, 1]: where on the face, from left to right or top to bottom on
    the map.
    """


def walls_hit(walls: Tensor, position: Tensor, forward: Tensor, slopes: Tensor) -> WallsHit:
    """The first wall on every ray in mazes of unit cells.

    Every ray's crossings with the lines between rows, and with those between columns, are found at
    once, the nearest first; the first one that enters a wall counts.

    Args:
        walls: [envs, rows, columns] bool, with an outer wall (where there is none, rays end after
            as many cells as the maze has rows and columns).
        position: [envs, 2] float32, within a free cell; its cell is its integer part.
        forward: [envs, 2] float32, of length one.
        slopes: [width], of the camera.
    """
    shape = (len(walls), len(slopes))
    rows, columns = walls.shape[1:]
    down = forward[:, :1] + slopes * forward[:, 1:]
    over = forward[:, 1:] - slopes * forward[:, :1]
    vertical, horizontal = (
        # Laid out in full, since what is stretched along its last axis takes longer.
        _Axis(at[:, None].expand(shape).contiguous(), _crossing(ray), cells, stride)
        for at, ray, cells, stride in (
            (position[:, 0], down, rows, columns),
            (position[:, 1], over, columns, 1),
        )
    )
    down_hit, down_at = _first_entered(walls, vertical, horizontal)
    over_hit, over_at = _first_entered(walls, horizontal, vertical)
    across = over_hit < down_hit
    place = torch.where(across, over_at, down_at)
    return WallsHit(torch.where(across, over_hit, down_hit), across, place - place.floor())


class _Axis(NamedTuple):
    """One axis of mazes, and rays along it."""

    position: Tensor
    """[envs, width] float32: where rays begin."""
    ray: Tensor
    """[envs, width] float32: how far they go for every unit of distance; never 0."""
    cells: int
    """Along this axis."""
    stride: int
    """Cells from one to the next along this axis, where all are numbered row by row."""


def _crossing(ray: Tensor) -> Tensor:
    return torch.where(ray.abs() < PARALLEL, PARALLEL, ray)


def _first_entered(walls: Tensor, axis: _Axis, other: _Axis) -> tuple[Tensor, Tensor]:
    """How far rays go until they enter a wall across a line between the cells of one axis, and
    where on the other axis they do, [envs, width] each.
    """
    device, ahead = walls.device, axis.ray > 0
    number = torch.arange(1.0, axis.cells - 1, device=device)[:, None, None]  # of lines to cross
    cell = axis.position.floor()
    within = axis.position - cell
    begun = torch.where(ahead, within, 1 - within)
    distance = (number - begun) / axis.ray.abs()  # [lines, envs, width]
    place = torch.addcmul(other.position, distance, other.ray)
    entered = torch.addcmul(cell, number, torch.where(ahead, 1.0, -1.0))
    # What lies beyond the outer wall was hidden by it: there any answer will do.
    entered.clamp_(0, axis.cells - 1)
    place.floor_().clamp_(0, other.cells - 1)
    first = torch.arange(len(walls), device=device, dtype=torch.int32) * walls[0].numel()
    cells = (entered * axis.stride + place * other.stride).int() + first[:, None]
    solid = walls.flatten().index_select(0, cells.flatten()).view_as(cells)
    hit = torch.where(solid, distance, float(axis.cells + other.cells)).amin(0)
    return hit, torch.addcmul(other.position, hit, other.ray)


def pillar_hit(
    centre: Tensor, radius: float, position: Tensor, forward: Tensor, slopes: Tensor
) -> Tensor:
    """How far rays go until they meet a round pillar, [envs, width] float32; infinite beside it.

    Who stands within the pillar sees it from inside.

    Args:
        centre: [envs, 2] float32.
        radius: of the pillar.
        position: [envs, 2] float32.
        forward: [envs, 2] float32, of length one.
        slopes: [width], of the camera.
    """
    approach, root, length, inside = _circle(position - centre, radius, forward, slopes)
    near = (-approach - root) / length
    far = (-approach + root) / length
    distance = torch.where(inside, far, near)
    # Beside the pillar the root is not a number, and so no comparison holds.
    return torch.where(distance > 0, distance, math.inf)


class ArenaHit(NamedTuple):
    """Where rays met the wall of an arena."""

    distance: Tensor
    """[envs, width] float32: along the gaze."""
    turn: Tensor
    """[envs, width] float32 in [0, 1]: the place on the wall as seen from the centre, in turns
    from (-1, 0) counter-clockwise.
    """


def arena_hit(radius: float, position: Tensor, forward: Tensor, slopes: Tensor) -> ArenaHit:
    """Where rays meet the wall of a round arena around (0, 0).

    Args:
        radius: of the arena.
        position: [envs, 2] float32, inside.
        forward: [envs, 2] float32, of length one.
        slopes: [width], of the camera.
    """
    approach, root, length, _ = _circle(position, radius, forward, slopes)
    distance = (root - approach) / length
    x = position[:, :1] + distance * (forward[:, :1] + slopes * forward[:, 1:])
    y = position[:, 1:] + distance * (forward[:, 1:] - slopes * forward[:, :1])
    return ArenaHit(distance, torch.atan2(y, x) / math.tau + 0.5)


def _circle(
    position: Tensor, radius: float, forward: Tensor, slopes: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rays meet a circle around (0, 0) at distances (-approach ± root) / length; whether they start
    inside.
    """
    ahead = (position * forward).sum(1, keepdim=True)
    aside = position[:, :1] * forward[:, 1:] - position[:, 1:] * forward[:, :1]
    approach = ahead + slopes * aside  # [envs, width]
    length = 1 + slopes * slopes
    beyond = position.square().sum(1, keepdim=True) - radius * radius
    return approach, (approach * approach - length * beyond).sqrt(), length, beyond < 0
