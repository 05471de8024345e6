"""Strips: vertical strips of pixels, ready-made for every distance and material, and the views that
are put together from them.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

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
PIXELS, WORDS = 4, 3
"""So many pixels of three bytes are as long as so many words of four."""


class Strips:
    """A table of strips [materials * distances, height] int32, once for each device: red, green and
    blue in a word's lower bytes, from the lowest up.

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
        words = painted.astype(np.int32) @ np.array((1, 1 << 8, 1 << 16), np.int32)
        self._tables = {torch.device("cpu"): torch.from_numpy(words)}

    def views(self, distance: Tensor, material: Tensor) -> Tensor:
        """Views put together column by column.

        Args:
            distance: of the wall in each column, [envs, width] float32.
            material: of the wall in each column, [envs, width] int32.

        Returns:
            [envs, height, width, 3] uint8.
        """
        (envs, width), device = distance.shape, distance.device
        if device not in self._tables:
            self._tables[device] = self._tables[torch.device("cpu")].to(device)
        table = self._tables[device]
        number = (distance / self._nearest).log() * self._scale
        entry = number.clamp(0, DISTANCES - 1).int() + material * DISTANCES
        entry = pad(entry, (0, -width % PIXELS))
        shape = (envs, self._camera.height, entry.shape[1] // PIXELS, WORDS)
        words = torch.empty(shape, dtype=torch.int32, device=device)
        piece = VIEWS_AT_ONCE if device.type == "cpu" else envs
        for rows, chosen in zip(words.split(piece), entry.split(piece), strict=True):
            _put_together(table, chosen, rows)
        views = words.view(torch.uint8).view(envs, self._camera.height, -1, 3)
        return views[:, :, :width].contiguous()


def _put_together(table: Tensor, chosen: Tensor, words: Tensor) -> None:
    """Write views [envs, height, groups of four pixels, three words] from strips chosen for each
    column, [envs, width].

    A column's pixels lie far apart in a view. Written as words, there are a quarter as many pieces
    to be put in place as bytes.
    """
    strips = table.index_select(0, chosen.flatten())
    one, two, three, four = strips.view(len(chosen), -1, PIXELS, table.shape[1]).unbind(2)
    first, second, third = words.permute(3, 0, 2, 1).unbind()  # [envs, groups, height] each
    # The first byte of a word in memory is its lowest, on every machine that PyTorch supports.
    torch.bitwise_or(one, two << 24, out=first)
    torch.bitwise_or(two >> 8, three << 16, out=second)
    torch.bitwise_or(three >> 16, four << 8, out=third)


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
