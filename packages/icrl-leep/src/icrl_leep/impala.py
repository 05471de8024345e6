"""The residual convolutions of IMPALA, for all members at once.

Espeholt et al. 2018, arXiv:1802.01561, figure 3 (right), with the three stages of 16, 32 and 32
channels that Procgen's baselines use (Cobbe et al. 2020, arXiv:1912.01588).
"""

import math

import torch
from torch import Tensor, nn

from icrl.nn import MemberLinear
from icrl_leep.layers import MemberConvolution, orthogonal

FEATURES = 256
"""Width of what a trunk sees in an image."""


class ImpalaTrunk(nn.Module):
    """Images to features."""

    def __init__(self, members: int, shape: tuple[int, ...], channels: tuple[int, ...]) -> None:
        """`shape` is that of an image: channels, height, width."""
        super().__init__()
        self.members = members
        inputs, height, width = shape
        sizes = (inputs, *channels)
        self.stages = nn.ModuleList(
            Stage(members, before, after) for before, after in zip(sizes, channels, strict=False)
        )
        for _ in channels:
            height, width = math.ceil(height / 2), math.ceil(width / 2)
        self.last = MemberLinear(
            members, channels[-1] * height * width, FEATURES, orthogonal(math.sqrt(2))
        )

    def forward(self, image: Tensor) -> Tensor:
        """[members, batch, channels, height, width] uint8 -> [members, batch, features]; the first
        axis of what all members see alike may also be 1.
        """
        x = image.transpose(0, 1).flatten(1, 2).float() / 255  # members' channels side by side
        x = x.contiguous(memory_format=torch.channels_last)  # faster on a CPU
        for stage in self.stages:
            x = stage(x)
        x = x.relu().unflatten(1, (self.members, -1)).flatten(2)  # [batch, members, ...]
        return self.last(x.transpose(0, 1)).relu()


class Stage(nn.Module):
    """A convolution, a pooling that halves the sides, and two residual blocks."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = MemberConvolution(members, inputs, outputs)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Residual(members, outputs) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.first(x))
        for block in self.blocks:
            x = block(x)
        return x


class Residual(nn.Module):
    """Two convolutions, each after a ReLU, added to what came in."""

    def __init__(self, members: int, channels: int) -> None:
        super().__init__()
        self.one = MemberConvolution(members, channels, channels)
        self.other = MemberConvolution(members, channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.other(self.one(x.relu()).relu())
