"""Strips: vertical strips of pixels, ready-made for every distance and material, and the views that
are put together from them.
"""

import math

import numpy as np
import torch
from torch import Tensor

from icrl_envs.raycaster import Camera

Colour = tuple[float, float, float]

DISTANCES = 192
"""Distances that are told apart, each a few per cent beyond the one before."""
SAMPLES = 4
"""Samples of a pixel, one below the other: they smooth the edges of walls."""
DARKEST = 0.25
"""What is left of a colour's light however far it is."""
VIEWS_AT_ONCE = 64
"""Views that a CPU puts together at once, so that their pixels stay in its cache."""


class Strips:
    """A table of strips [materials * distances, height * 3] uint8, once for each device.

    A strip shows ceiling, wall and floor as a column of pixels shows them when a wall of that
    material stands at that distance.
    """

    def __init__(
        self,
        camera: Camera,
        materials: np.ndarray,
        *,
        floor: Colour,
        ceiling: Colour,
        nearest: float,
        farthest: float,
        half_light: float,
    ) -> None:
        """Paint every strip.

        Args:
            camera: what looks.
            materials: vertical slices of walls, from the top down, [materials, slices, 3], 0 to
                255.
            floor: colour from 0 to 255.
            ceiling: colour from 0 to 255.
            nearest: distance below which all looks alike.
            farthest: distance beyond which all looks alike.
            half_light: distance at which half of the light is lost.
        """
        self._camera = camera
        self._nearest = nearest
        self._scale = DISTANCES / math.log(farthest / nearest)
        distances = nearest * np.exp((np.arange(DISTANCES, dtype=np.float32) + 0.5) / self._scale)
        painted = _painted(camera, materials, floor, ceiling, distances, half_light)
        self._tables = {torch.device("cpu"): torch.from_numpy(painted).flatten(1)}

    def views(self, distance: Tensor, material: Tensor) -> Tensor:
        """Views put together column by column.

        Args:
            distance: of the wall in each column, [envs, width] float32.
            material: of the wall in each column, [envs, width] int32.

        Returns:
            [envs, height, width, 3] uint8.
        """
        envs, device = len(distance), distance.device
        if device not in self._tables:
            self._tables[device] = self._tables[torch.device("cpu")].to(device)
        table = self._tables[device]
        number = (distance / self._nearest).log() * self._scale
        entry = number.clamp(0, DISTANCES - 1).int() + material * DISTANCES
        height, width = self._camera.height, self._camera.width
        views = torch.empty((envs, height, width, 3), dtype=torch.uint8, device=device)
        piece = VIEWS_AT_ONCE if device.type == "cpu" else envs
        for first in range(0, envs, piece):
            chosen = entry[first : first + piece]
            strips = table.index_select(0, chosen.flatten()).view(-1, width, height, 3)
            # One colour after the other: copies of three bytes at a time take twice as long.
            for colour in range(3):
                views[first : first + piece, ..., colour] = strips[..., colour].transpose(1, 2)
        return views


def _painted(
    camera: Camera,
    materials: np.ndarray,
    floor: Colour,
    ceiling: Colour,
    distances: np.ndarray,
    half_light: float,
) -> np.ndarray:
    """Every strip, [materials * distances, height, 3] uint8."""
    samples = np.arange(camera.height * SAMPLES, dtype=np.float32) + 0.5
    fall = (samples / SAMPLES - camera.height / 2) / camera.focal_length  # down for a unit ahead
    to_floor = camera.eye / np.maximum(fall, 1e-6)
    to_ceiling = (camera.wall - camera.eye) / np.maximum(-fall, 1e-6)
    below = np.multiply.outer(_light(to_floor, half_light), floor)
    above = np.multiply.outer(_light(to_ceiling, half_light), ceiling)
    ground = np.where(fall[:, None] > 0, below, above)  # [samples, 3]
    depth = camera.wall - camera.eye + np.multiply.outer(distances, fall)  # below the wall's top
    slices = materials.shape[1]
    slice_hit = np.clip(depth / camera.wall * slices, 0, slices - 1).astype(int)
    on_wall = ((depth >= 0) & (depth < camera.wall))[..., None]
    light = _light(distances, half_light)[:, None, None]
    strips = np.empty((len(materials), len(distances), camera.height, 3), np.uint8)
    for strip, material in zip(strips, materials.astype(np.float32), strict=True):
        colours = np.where(on_wall, material[slice_hit] * light, ground)
        pixels = colours.reshape(len(distances), camera.height, SAMPLES, 3).mean(2)
        strip[:] = np.clip(pixels + 0.5, 0, 255)
    return strips.reshape(-1, camera.height, 3)


def _light(distance: np.ndarray, half_light: float) -> np.ndarray:
    """The part of a colour's light that comes from a distance."""
    return np.maximum(0.5 ** (distance / half_light), DARKEST)
