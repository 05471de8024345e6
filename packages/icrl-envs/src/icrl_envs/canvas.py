"""Canvas: smooth shapes on an array of pixels, by signed distances."""

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]
Colour = tuple[int, int, int]


class Canvas:
    """An image [height, width, 3]. Points are (row, column) in pixels; edges are blended over one
    pixel.
    """

    def __init__(self, height: int, width: int, colour: Colour) -> None:
        self._image = np.empty((height, width, 3), np.float32)
        self._image[:] = colour

    def pixels(self) -> np.ndarray:
        """A copy of the image, uint8."""
        return np.clip(self._image + 0.5, 0, 255).astype(np.uint8)

    def paste(self, top: int, left: int, pixels: np.ndarray) -> None:
        """Pixels [height, width, 3], in front of what is there."""
        height, width, _ = pixels.shape
        self._image[top : top + height, left : left + width] = pixels

    def line(self, one: Point, other: Point, width: float, colour: Colour) -> None:
        """A line with round ends."""
        top, left, distance = self._to_line(one, other, width)
        self._mix(top, left, _inside(distance), colour)

    def trail(
        self,
        lines: Sequence[tuple[Point, Point]],
        width: float,
        colours: Sequence[Colour],
        alphas: Sequence[float],
    ) -> None:
        """Lines as one layer: where they meet, the strongest one shows."""
        strength = np.zeros(self._image.shape[:2], np.float32)
        layer = self._image.copy()
        for (one, other), colour, alpha in zip(lines, colours, alphas, strict=True):
            top, left, distance = self._to_line(one, other, width)
            part = np.s_[top : top + distance.shape[0], left : left + distance.shape[1]]
            covered = alpha * _inside(distance)
            stronger = covered > strength[part]
            strength[part][stronger] = covered[stronger]
            layer[part][stronger] = colour
        self._mix(0, 0, strength, layer)

    def disc(self, centre: Point, radius: float, colour: Colour, alpha: float = 1.0) -> None:
        """A filled circle."""
        top, left, rows, columns = self._around((centre,), 2 * radius)
        distance = np.hypot(rows - centre[0], columns - centre[1]) - radius
        self._mix(top, left, alpha * _inside(distance), colour)

    def ring(
        self, centre: Point, radius: float, width: float, colour: Colour, alpha: float = 1.0
    ) -> None:
        """A circle's outline; `radius` is that of its middle."""
        top, left, rows, columns = self._around((centre,), 2 * radius + width)
        distance = np.abs(np.hypot(rows - centre[0], columns - centre[1]) - radius)
        self._mix(top, left, alpha * _inside(distance - width / 2), colour)

    def box(self, centre: Point, size: Point, radius: float, colour: Colour) -> None:
        """A filled rectangle (height, width) with rounded corners."""
        half = size[0] / 2, size[1] / 2
        corners = tuple((centre[0] + s * half[0], centre[1] + s * half[1]) for s in (-1, 1))
        top, left, rows, columns = self._around(corners, 0.0)
        down = np.abs(rows - centre[0]) - size[0] / 2 + radius
        across = np.abs(columns - centre[1]) - size[1] / 2 + radius
        outside = np.hypot(np.maximum(down, 0), np.maximum(across, 0))
        distance = outside + np.minimum(np.maximum(down, across), 0) - radius
        self._mix(top, left, _inside(distance), colour)

    def glow(self, centre: Point, radius: float, colour: Colour, alpha: float) -> None:
        """Light that fades to nothing at `radius`."""
        top, left, rows, columns = self._around((centre,), 2 * radius)
        nearness = 1 - np.hypot(rows - centre[0], columns - centre[1]) / radius
        self._mix(top, left, alpha * np.clip(nearness, 0, 1) ** 2, colour)

    def _around(
        self, points: tuple[Point, ...], width: float
    ) -> tuple[int, int, np.ndarray, np.ndarray]:
        """The part of the image that a shape can touch: its corner, and its pixels' rows and
        columns.
        """
        reach = width / 2 + 2
        height, full_width = self._image.shape[:2]
        top = max(int(min(p[0] for p in points) - reach), 0)
        left = max(int(min(p[1] for p in points) - reach), 0)
        bottom = min(int(max(p[0] for p in points) + reach) + 1, height)
        right = min(int(max(p[1] for p in points) + reach) + 1, full_width)
        rows = np.arange(top, max(bottom, top), dtype=np.float32)[:, None] + 0.5
        columns = np.arange(left, max(right, left), dtype=np.float32)[None, :] + 0.5
        return top, left, rows, columns

    def _to_line(self, one: Point, other: Point, width: float) -> tuple[int, int, np.ndarray]:
        """Signed distance to a line with round ends, in the part of the image that it can touch."""
        top, left, rows, columns = self._around((one, other), width)
        down, across = other[0] - one[0], other[1] - one[1]
        length = max(down * down + across * across, 1e-6)
        share = np.clip(((rows - one[0]) * down + (columns - one[1]) * across) / length, 0, 1)
        distance = np.hypot(rows - one[0] - share * down, columns - one[1] - share * across)
        return top, left, distance - width / 2

    def _mix(self, top: int, left: int, alpha: np.ndarray, colour: Colour | np.ndarray) -> None:
        part = self._image[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        part += alpha[..., None] * (np.asarray(colour, np.float32) - part)


def between(one: Colour, other: Colour, share: float) -> Colour:
    """The colour so far on the way from one to the other."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _inside(distance: np.ndarray) -> np.ndarray:
    """How much of each pixel lies inside a shape: 1 within, 0 beyond, blended over one pixel."""
    return np.clip(0.5 - distance, 0, 1)
