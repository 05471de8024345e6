"""Views: spaces that Stable-Baselines3 refuses, as spaces that it takes, and values both ways.

| of the environment                     | what a learner sees                                  |
|----------------------------------------|------------------------------------------------------|
| Discrete(n, start)                     | Discrete(n) from 0                                   |
| MultiDiscrete, of any rank and start   | Box: each code one-hot, as SB3 itself shows it       |
| MultiBinary                            | the same                                             |
| Box of uint8, images from 36 pixels up | the same: SB3's convolutions take it                 |
| Box, else                              | Box of float32, one axis                             |
| Text                                   | Box: characters one-hot if short, else codes in 0..1 |
| Dict and Tuple, also nested            | one flat Dict, keys `image`, `0`, `0/direction`      |
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.errors import SpaceError
from icrl.sb3_fitting import is_image
from icrl.spaces import clipper, leaf_spaces
from icrl.trees import Tree, leaves, map_tree

MOST_ONE_HOT = 2048
"""A text is shown as one-hot characters up to so many inputs."""

Convert = Callable[[Tensor], Tensor]


class ObservationView:
    """What a learner sees of an observation space."""

    def __init__(self, space: Space, device: torch.device | str = "cpu") -> None:
        """Find the view of each leaf.

        Args:
            space: the environment's own.
            device: where the observations lie that `tensors` gets.

        Raises:
            SpaceError: for a space that has no fixed-size tensor form.
        """
        of_device = torch.device(device)
        found = {
            path: _observation_leaf(leaf, of_device) for path, leaf in leaves(leaf_spaces(space))
        }
        self._converts = {path: convert for path, (_, convert) in found.items()}
        self._names = {
            path: path.replace(".", "_") for path in found
        }  # torch forbids dots in names of modules
        named = {self._names[path]: leaf for path, (leaf, _) in found.items()}
        self.space: Space = named[""] if "" in named else spaces.Dict(named)
        """The space as SB3 gets it."""

    def tensors(self, observation: Tree) -> Tensor | dict[str, Tensor]:
        """Observations of many rows, a tree of tensors [envs, ...], as values of `space`."""
        if isinstance(observation, Tensor):
            return self._converts[""](observation)
        return {self._names[path]: self._converts[path](leaf) for path, leaf in leaves(observation)}

    def __call__(self, observation: Tree) -> np.ndarray | dict[str, np.ndarray]:
        """The same as SB3 gets them: on the host, in NumPy."""
        seen = self.tensors(map_tree(Tensor.cpu, observation))
        if isinstance(seen, Tensor):
            return seen.numpy()
        return {name: leaf.numpy() for name, leaf in seen.items()}

    def rows(self, observation: Tree) -> list[Any]:
        """The same, one value for each row."""
        seen = self(observation)
        if isinstance(seen, dict):
            return [dict(zip(seen, row, strict=True)) for row in zip(*seen.values(), strict=True)]
        return list(seen)


class ActionView:
    """The actions that a learner gives, and those of the environment."""

    def __init__(self, space: Space, device: torch.device | str = "cpu") -> None:
        """Find the view.

        Args:
            space: the environment's own.
            device: where the actions lie that `tensors` gets.

        Raises:
            SpaceError: for a space in which no SB3 algorithm acts.
        """
        start: Any = 0
        if isinstance(space, spaces.Discrete):
            self.space: Space = spaces.Discrete(int(space.n))
            start = space.start
        elif isinstance(space, spaces.MultiDiscrete):
            self.space = spaces.MultiDiscrete(space.nvec.reshape(-1))
            start = space.start
        elif isinstance(space, spaces.MultiBinary):
            self.space = spaces.MultiBinary(int(np.prod(space.shape)))
        elif isinstance(space, spaces.Box) and space.is_bounded() and space.dtype.kind == "f":
            low, high = space.low.astype(np.float32), space.high.astype(np.float32)
            self.space = spaces.Box(low.reshape(-1), high.reshape(-1))
        else:
            raise SpaceError(
                f"no Stable-Baselines3 algorithm acts in {space}. Served: Discrete, MultiDiscrete, "
                "MultiBinary, and Box "
                "of floats with finite bounds."
            )
        self._shape = space.shape or ()
        self._start = torch.as_tensor(np.asarray(start, np.int64)).to(device)
        self._clipped = clipper(self.space, device)

    def tensors(self, actions: Tensor) -> Tensor:
        """What the environments receive for a learner's actions, [envs, *action] in the layout of
        `icrl.spaces`.

        Continuous actions are clipped to the bounds of their Box.
        """
        if isinstance(self.space, spaces.Box):
            clipped = self._clipped(actions.float().flatten(1))
            assert isinstance(clipped, Tensor)
            return clipped.reshape(len(actions), *self._shape)
        return actions.long().reshape(len(actions), *self._shape) + self._start

    def received(self, actions: np.ndarray) -> np.ndarray:
        """The same for SB3's own actions, in NumPy."""
        return self.tensors(torch.from_numpy(np.asarray(actions))).numpy()


def _observation_leaf(space: Space, device: torch.device) -> tuple[Space, Convert]:
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return spaces.Discrete(int(space.n)), lambda x: x - start
    if isinstance(space, spaces.MultiDiscrete):
        return _one_hot(space.nvec.reshape(-1), space.start.reshape(-1), device)
    if isinstance(space, spaces.MultiBinary):
        return spaces.MultiBinary(int(np.prod(space.shape))), lambda x: x.flatten(1).to(torch.int8)
    if isinstance(space, spaces.Text):
        return _text_leaf(space, device)
    assert isinstance(space, spaces.Box)
    if is_image(space):
        return space, lambda x: x
    low, high = space.low.astype(np.float32).reshape(-1), space.high.astype(np.float32).reshape(-1)
    return spaces.Box(low, high), lambda x: x.reshape(len(x), -1).float()


def _text_leaf(space: spaces.Text, device: torch.device) -> tuple[Space, Convert]:
    codes = len(space.characters) + 1
    if space.max_length * codes <= MOST_ONE_HOT:
        return _one_hot(np.full(space.max_length, codes), 0, device)
    scaled = spaces.Box(0.0, 1.0, (space.max_length,), np.float32)
    return scaled, lambda x: x / (codes - 1)


def _one_hot(sizes: np.ndarray, starts: Any, device: torch.device) -> tuple[Space, Convert]:
    """Codes one-hot, side by side. SB3 does the same to a MultiDiscrete, but miscounts it for its
    recurrent networks.
    """
    columns = torch.from_numpy(np.cumsum(sizes) - sizes - starts).to(device)
    width = int(sizes.sum())

    def convert(x: Tensor) -> Tensor:
        shown = torch.zeros(len(x), width, device=x.device)
        return shown.scatter_(1, x.flatten(1) + columns, 1.0)

    return spaces.Box(0.0, 1.0, (width,), np.float32), convert


def host_array(tensor: Tensor) -> np.ndarray:
    """A tensor as an array on the host, sharing its memory where it lies there."""
    return tensor.numpy() if tensor.device.type == "cpu" else tensor.cpu().numpy()
