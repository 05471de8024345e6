"""Controls: actions as the vectors that a dynamics model takes and a planner searches among."""

import numpy as np
import torch
from gymnasium import Space, spaces
from jaxtyping import Float
from torch import Tensor

from icrl.sb3 import ActionView
from icrl.spaces import leaf_dtype
from icrl.trees import Tree


class Controls:
    """The actions of a space as vectors.

    | action space                         | control                                              |
    |--------------------------------------|------------------------------------------------------|
    | Discrete, MultiDiscrete, MultiBinary | a one-hot part for each number, side by side         |
    | Box of floats with finite bounds     | its numbers, the bounds at -1 and 1                  |

    With all bounds at -1 and 1, where the original's wrapper puts them too, one initial variance
    suits every family.
    """

    def __init__(self, action_space: Space, device: torch.device | str = "cpu") -> None:
        """Find the vectors.

        Args:
            action_space: the environment's own.
            device: where actions and controls lie.

        Raises:
            SpaceError: for a space of other actions (Dict, Tuple, Text, integers in a Box, no
                bounds).
        """
        self._view = ActionView(action_space, device)
        self._shape, self._dtype = tuple(action_space.shape or ()), leaf_dtype(action_space)
        self._device = torch.device(device)
        space = self._view.space
        self.choices = _choices(space)
        """How many values each one-hot part tells apart; None: controls are continuous."""
        if self.choices is None:
            assert isinstance(space, spaces.Box)
            low, high = space.low, space.high
            self._middle = torch.as_tensor(low / 2 + high / 2, device=device)
            self._reach = torch.as_tensor(high / 2 - low / 2, device=device)
            self.width = low.size
            """Numbers of a control."""
        else:
            self._starts = torch.as_tensor(_starts(action_space), device=device)
            self.width = sum(self.choices)

    def encoded(self, action: Tree) -> Float[Tensor, "*rows width"]:
        """The controls of the environment's actions [*rows, *action], float32.

        What lies outside of a Box is taken at its bounds, as an environment receives it; a code
        that is none of the space's, such as the zero before a trial's first action, has no 1.
        """
        rows = action.shape[: action.ndim - len(self._shape)]
        if self.choices is None:
            centred = action.float().reshape(*rows, self.width) - self._middle
            return torch.where(self._reach > 0, centred / self._reach, 0.0).clamp(-1, 1)
        codes = action.reshape(*rows, len(self.choices)) - self._starts
        values = zip(codes.unbind(-1), self.choices, strict=True)
        hot = [code[..., None] == torch.arange(n, device=code.device) for code, n in values]
        return torch.cat(hot, -1).float()

    def decoded(self, control: Float[Tensor, "*rows width"]) -> Tree:
        """The environment's actions [*rows, *action]; of a one-hot part its largest number's."""
        rows = control.shape[:-1]
        flat = control.reshape(-1, self.width)
        if self.choices is None:
            given = flat * self._reach + self._middle
        else:
            given = torch.stack([part.argmax(-1) for part in flat.split(self.choices, -1)], -1)
        return self._view.tensors(given).to(self._dtype).reshape(*rows, *self._shape)

    def random(
        self, shape: tuple[int, ...], generator: torch.Generator
    ) -> Float[Tensor, "*shape width"]:
        """Uniform controls."""
        drawn = torch.rand(*shape, self.width, generator=generator, device=self._device)
        return 2 * drawn - 1 if self.choices is None else chosen(drawn, self.choices)


def chosen(
    weights: Float[Tensor, "*rows width"], choices: tuple[int, ...]
) -> Float[Tensor, "*rows width"]:
    """One-hot parts: 1 at the largest weight of each part, which has `choices[i]` of them."""
    parts = [
        torch.zeros_like(part).scatter(-1, part.argmax(-1, keepdim=True), 1.0)
        for part in weights.split(choices, -1)
    ]
    return torch.cat(parts, -1)


def _choices(space: Space) -> tuple[int, ...] | None:
    if isinstance(space, spaces.Box):
        return None
    if isinstance(space, spaces.MultiDiscrete):
        return tuple(int(size) for size in space.nvec)
    if isinstance(space, spaces.MultiBinary):
        return (2,) * space.shape[0]
    assert isinstance(space, spaces.Discrete)  # `ActionView` shows no other
    return (int(space.n),)


def _starts(space: Space) -> np.ndarray:
    """The least value of each number of an action."""
    return np.asarray(getattr(space, "start", 0), np.int64).reshape(-1)
