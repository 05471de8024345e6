"""Encoders: any space that has a tensor form (`icrl.spaces`) to one vector of a chosen width."""

import math

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor, nn

from icrl.nn.normalisation import CLIP, RunningNorm
from icrl.spaces import leaf_spaces
from icrl.trees import Tree, leaves

EMBEDDING_STD = 0.5
IMAGE_SIDE = 32
"""uint8 arrays at least this high and wide are images; smaller ones are symbols (MiniGrid's largest
is 25).
"""
SYMBOLS = 256
"""A bounded integer array with at most this many values is taken as symbols."""
WIDEST_BOUND = 1e6
"""Bounds further apart say nothing about the scale (older environments write 3.4e38 for
infinity).
"""


class SpaceEncoder(nn.Module):
    """Encodes values of a space as vectors; the parts of a Dict or Tuple are encoded apart and
    summed.

    | space                         | encoding                                               |
    |-------------------------------|--------------------------------------------------------|
    | Discrete                      | an embedding                                           |
    | MultiDiscrete                 | an embedding for each factor, summed                   |
    | MultiBinary                   | linear in ±1                                           |
    | Box of numbers                | bounds to ±1, else running statistics; two layers      |
    | Box, uint8, 32 x 32 or more   | strided convolutions (channels last or first)          |
    | Box, 2D or 3D, of 256 symbols | an embedding for each channel, summed in a cell; linear |
    | Text                          | a feature of each character in its place; mean         |
    """

    def __init__(self, space: Space, width: int) -> None:
        """
        Raises:
            SpaceError: for a space that has no tensor form.
        """
        super().__init__()
        self.width = width
        self.parts = nn.ModuleList(
            leaf_encoder(leaf, width) for _, leaf in leaves(leaf_spaces(space))
        )

    def forward(self, tree: Tree) -> Tensor:
        """A tree of tensors [..., *leaf shape] -> [..., width], for any leading axes."""
        encoded = [part(tensor) for part, (_, tensor) in zip(self.parts, leaves(tree), strict=True)]
        return encoded[0] if len(encoded) == 1 else torch.stack(encoded).sum(0)

    def observe(self, tree: Tree) -> None:
        """Take values into the running statistics: for training alone, and before the forward
        pass.
        """
        for part, (_, tensor) in zip(self.parts, leaves(tree), strict=True):
            if isinstance(part, NumberEncoder):
                part.observe(tensor)


def leaf_encoder(space: Space, width: int) -> nn.Module:
    """The encoder of a leaf space."""
    match space:
        case spaces.Discrete():
            return CategoryEncoder(np.array([space.n]), np.array([space.start]), (), width)
        case spaces.MultiDiscrete():
            return CategoryEncoder(
                space.nvec.reshape(-1), space.start.reshape(-1), space.shape, width
            )
        case spaces.MultiBinary():
            return BinaryEncoder(space.shape, width)
        case spaces.Text():
            return TextEncoder(len(space.character_list), space.max_length, width)
        case spaces.Box() if is_image(space):
            return ImageEncoder(space.shape, width)
        case spaces.Box() if is_symbolic(space):
            return SymbolEncoder(space, width)
        case spaces.Box():
            return NumberEncoder(space, width)
    raise AssertionError("leaf_spaces refuses every other space")


def channel_axis(shape: tuple[int, ...]) -> int:
    """Which axis of a 3D array holds the channels: the first if it is the smallest, else the
    last.
    """
    return 0 if shape[0] < shape[2] else 2


def is_image(space: spaces.Box) -> bool:
    """Whether a Box holds pictures: uint8, 2D or 3D, and large."""
    if space.dtype != np.uint8 or len(space.shape) not in (2, 3):
        return False
    sides = list(space.shape)
    if len(sides) == 3:
        sides.pop(channel_axis(space.shape))
    return min(sides) >= IMAGE_SIDE


def is_symbolic(space: spaces.Box) -> bool:
    """Whether a Box holds a small grid of symbols: integers, 2D or 3D, with few values."""
    if not np.issubdtype(space.dtype, np.integer) or len(space.shape) not in (2, 3):
        return False
    return int(space.high.max()) - int(space.low.min()) < SYMBOLS


def bounded(space: spaces.Box) -> np.ndarray:
    """Which elements of a Box have bounds that say what scale to expect, [*shape] bool."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    return np.isfinite(low) & np.isfinite(high) & (high > low) & (high - low <= WIDEST_BOUND)


class CategoryEncoder(nn.Module):
    """An embedding for each factor, summed; [..., *shape] int64 -> [..., width].

    Before a trial's first action stand zeros, which a space that starts elsewhere does not have:
    they are taken as the value nearest to them.
    """

    low: Tensor
    high: Tensor
    offset: Tensor

    def __init__(
        self, counts: np.ndarray, start: np.ndarray, shape: tuple[int, ...], width: int
    ) -> None:
        super().__init__()
        self.shape = shape
        counts, low = counts.astype(np.int64), start.astype(np.int64)
        high = low + counts - 1
        offset = counts.cumsum() - counts - low
        for name, array in (("low", low), ("high", high), ("offset", offset)):
            self.register_buffer(name, torch.from_numpy(array), persistent=False)
        self.has_zeros = bool(((low <= 0) & (high >= 0)).all())
        self.is_index = shape == () and offset[0] == 0
        self.table = nn.Embedding(int(counts.sum()), width)
        nn.init.normal_(self.table.weight, std=EMBEDDING_STD / max(1, len(counts) / 2) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        if self.is_index:
            return self.table(x)
        x = x.reshape(*x.shape[: x.ndim - len(self.shape)], -1)
        if not self.has_zeros:
            x = x.clamp(self.low, self.high)
        return self.table(x + self.offset).sum(-2)


class BinaryEncoder(nn.Module):
    """Linear in ±1, which is an embedding for each bit, summed; [..., *shape] -> [..., width]."""

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.shape = shape
        self.linear = nn.Linear(math.prod(shape), width)

    def forward(self, x: Tensor) -> Tensor:
        x = x.reshape(*x.shape[: x.ndim - len(self.shape)], -1)
        return self.linear((2 * x - 1).to(self.linear.weight.dtype))


class NumberEncoder(nn.Module):
    """Numbers of any scale; [..., *shape] -> [..., width]."""

    low: Tensor
    scale: Tensor
    has_bounds: Tensor

    def __init__(self, space: spaces.Box, width: int) -> None:
        super().__init__()
        self.shape = space.shape
        size = math.prod(space.shape)
        known = bounded(space).reshape(-1)
        low = np.where(known, space.low.reshape(-1), 0).astype(np.float64)
        high = np.where(known, space.high.reshape(-1), 1).astype(np.float64)
        self.register_buffer("low", torch.from_numpy(low).float(), persistent=False)
        self.register_buffer("scale", torch.from_numpy(2 / (high - low)).float(), persistent=False)
        self.register_buffer("has_bounds", torch.from_numpy(known), persistent=False)
        self.norm = RunningNorm(size)
        self.up = nn.Linear(size, width)
        self.down = nn.Linear(width, width)

    def observe(self, x: Tensor) -> None:
        """Take values [..., *shape] into the running statistics."""
        self.norm.observe(self._flat(x))

    def forward(self, x: Tensor) -> Tensor:
        x = self._flat(x)
        by_bounds = ((x - self.low) * self.scale - 1).clamp(-CLIP, CLIP)
        return self.down(
            nn.functional.gelu(self.up(torch.where(self.has_bounds, by_bounds, self.norm(x))))
        )

    def _flat(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[: x.ndim - len(self.shape)], -1).float()


class ImageEncoder(nn.Module):
    """Strided convolutions down to a few cells, then linear; [..., *shape] uint8 -> [...,
    width].
    """

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.shape = shape
        self.channel = None if len(shape) == 2 else channel_axis(shape)
        sides = [side for axis, side in enumerate(shape) if axis != self.channel]
        channels = 1 if self.channel is None else shape[self.channel]
        layers: list[nn.Module] = []
        following = 16
        while min(sides) > 4:
            layers += [nn.Conv2d(channels, following, 3, stride=2, padding=1), nn.GELU()]
            sides = [(side + 1) // 2 for side in sides]
            channels, following = following, min(2 * following, 64)
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(channels * math.prod(sides), width)

    def forward(self, x: Tensor) -> Tensor:
        leading = x.shape[: x.ndim - len(self.shape)]
        x = x.reshape(-1, *self.shape)
        if self.channel is None:
            x = x.unsqueeze(1)
        elif self.channel == 2:
            x = x.movedim(3, 1)
        features = self.layers(x.to(self.linear.weight.dtype) / 127.5 - 1)
        return self.linear(features.flatten(1)).reshape(*leading, -1)


class SymbolEncoder(nn.Module):
    """An embedding for each channel's symbol, summed in each cell, then linear over cells; -> [...,
    width].
    """

    CELL_WIDTH = 16

    offset: Tensor

    def __init__(self, space: spaces.Box, width: int) -> None:
        super().__init__()
        self.shape = space.shape
        self.channel = None if len(self.shape) == 2 else channel_axis(self.shape)
        channels = 1 if self.channel is None else self.shape[self.channel]
        low = int(space.low.min())
        self.num_symbols = int(space.high.max()) - low + 1
        self.register_buffer(
            "offset", torch.arange(channels) * self.num_symbols - low, persistent=False
        )
        self.table = nn.Embedding(channels * self.num_symbols, self.CELL_WIDTH)
        nn.init.normal_(self.table.weight, std=EMBEDDING_STD)
        self.linear = nn.Linear(math.prod(self.shape) // channels * self.CELL_WIDTH, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x.long()
        if self.channel is None:
            x = x.unsqueeze(-1)
        elif self.channel == 0:
            x = x.movedim(-3, -1)
        cells = self.table(x + self.offset).sum(-2)  # [..., height, breadth, cell width]
        return self.linear(cells.flatten(-3))


class TextEncoder(nn.Module):
    """A feature of each character in its place, averaged over the text; [..., length] codes ->
    [..., width].
    """

    def __init__(self, num_characters: int, max_length: int, width: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(num_characters + 1, width)
        self.places = nn.Parameter(torch.randn(max_length, width) * EMBEDDING_STD)
        self.linear = nn.Linear(width, width)

    def forward(self, codes: Tensor) -> Tensor:
        written = (codes > 0).unsqueeze(-1)
        features = nn.functional.gelu(self.characters(codes) + self.places)
        total = torch.where(written, features, torch.zeros_like(features)).sum(-2)
        return self.linear(total / written.sum(-2).clamp(min=1))
