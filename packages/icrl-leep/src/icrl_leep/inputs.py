"""Inputs: what a learner sees, as features of each member."""

import math
from typing import cast

import numpy as np
import torch
from gymnasium import Space, spaces
from stable_baselines3.common.preprocessing import is_image_space, is_image_space_channels_first
from stable_baselines3.common.vec_env import VecTransposeImage
from torch import Tensor, nn

from icrl.nn import RunningNorm
from icrl.nn.encoders import bounded
from icrl_leep.impala import FEATURES, ImpalaTrunk


class MemberInputs(nn.Module):
    """The parts of an observation side by side: numbers as they are, images by a trunk of each
    member.

    | part                | features                                                       |
    |---------------------|----------------------------------------------------------------|
    | Discrete            | one-hot                                                        |
    | MultiBinary         | -1 and 1                                                       |
    | Box with bounds     | from -1 to 1                                                   |
    | Box without         | standardised by running statistics, which `observe` moves      |
    | image, channels first | IMPALA's residual convolutions, 256 features                 |
    """

    def __init__(self, members: int, space: Space, channels: tuple[int, ...]) -> None:
        """`space` is the observation space as SB3 shows it to a policy."""
        super().__init__()
        parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
        self.members = members
        self.names = tuple(parts)
        self.parts = nn.ModuleList(_part(members, part, channels) for part in parts.values())
        self.num_features = sum(cast("int", part.num_features) for part in self.parts)
        self.has_images = any(isinstance(part, Image) for part in self.parts)

    def forward(self, observation: Tensor | dict[str, Tensor], rows: tuple[int, ...]) -> Tensor:
        """Features [members, batch, features].

        Args:
            observation: of the rows, [rows, ...].
            rows: (members, batch) if row i * batch + j is for member i; (batch,) if every row is
                for every member.
        """
        pairs = zip(self.parts, self._leaves(observation), strict=True)
        features = [part(_by_member(x, rows)).expand(self.members, -1, -1) for part, x in pairs]
        return features[0] if len(features) == 1 else torch.cat(features, -1)

    def observe(self, observation: Tensor | dict[str, Tensor]) -> None:
        """Take rows [rows, ...] into the running statistics."""
        for part, x in zip(self.parts, self._leaves(observation), strict=True):
            if isinstance(part, Numbers):
                part.observe(x)

    def _leaves(self, observation: Tensor | dict[str, Tensor]) -> list[Tensor]:
        if isinstance(observation, Tensor):
            return [observation]
        return [observation[name] for name in self.names]


def _by_member(x: Tensor, rows: tuple[int, ...]) -> Tensor:
    """[rows, ...] -> [members, batch, ...], or [1, batch, ...] where all members see the rows."""
    return x.reshape(*(rows if len(rows) == 2 else (1, *rows)), *x.shape[1:])


def _part(members: int, space: Space, channels: tuple[int, ...]) -> nn.Module:
    match space:
        case spaces.Discrete():
            return OneHot(int(space.n))
        case spaces.MultiBinary():
            return Numbers(spaces.Box(0, 1, (int(np.prod(space.shape)),), np.float32))
        case spaces.Box() if is_image_space(space):
            return Image(members, space, channels)
        case spaces.Box():
            return Numbers(space)
    raise AssertionError("ObservationView has no other parts")


class OneHot(nn.Module):
    """A code as a one-hot vector."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, x: Tensor) -> Tensor:
        """[members, batch] or [members, batch, 1] -> [members, batch, codes]."""
        codes = torch.arange(self.num_features, device=x.device)
        return (x.reshape(*x.shape[:2], 1) == codes).float()


class Numbers(nn.Module):
    """Numbers on a common scale."""

    low: Tensor
    scale: Tensor
    has_bounds: Tensor

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        self.num_features = math.prod(space.shape)
        known = bounded(space).reshape(-1)
        low = np.where(known, space.low.reshape(-1), 0).astype(np.float64)
        high = np.where(known, space.high.reshape(-1), 1).astype(np.float64)
        for name, array in (("low", low), ("scale", 2 / (high - low))):
            self.register_buffer(name, torch.from_numpy(array).float(), persistent=False)
        self.register_buffer("has_bounds", torch.from_numpy(known), persistent=False)
        self.norm = RunningNorm(self.num_features)

    def observe(self, x: Tensor) -> None:
        """Take rows [rows, ...] into the running statistics."""
        self.norm.observe(x.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """[members, batch, ...] -> [members, batch, numbers]."""
        x = x.flatten(2).float()
        return torch.where(self.has_bounds, (x - self.low) * self.scale - 1, self.norm(x))


class Image(nn.Module):
    """What each member's trunk sees in an image."""

    num_features = FEATURES

    def __init__(self, members: int, space: spaces.Box, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.trunk = ImpalaTrunk(members, space.shape, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[members, batch, channels, height, width] uint8 -> [members, batch, features]."""
        return self.trunk(x)


def images_first(space: Space) -> Space:
    """The space as SB3 shows it to a policy: images with their channels first."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict({name: images_first(part) for name, part in space.spaces.items()})
    if not (isinstance(space, spaces.Box) and is_image_space(space)):
        return space
    return (
        space if is_image_space_channels_first(space) else VecTransposeImage.transpose_space(space)
    )
