"""States: observations of any space as the vectors that a model of the dynamics predicts.

Lee et al. 2020, arXiv:2005.06800; what a family adds is its `DynamicsView`.
"""

from collections.abc import Callable
from math import prod
from typing import Self

import torch
from gymnasium import Space, spaces
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from icrl.errors import SpaceError
from icrl.families import DynamicsView, RewardModel
from icrl.nn.encoders import channel_axis
from icrl.sb3 import ObservationView
from icrl.sb3_fitting import is_image
from icrl.spaces import leaf_dtype
from icrl.trees import Tree
from icrl_cadm.controls import Controls

CELLS = 8
"""Images are averaged down to so many cells a side: a model of pixels is another method."""

Convert = Callable[[Tensor], Tensor]


class States:
    """The states of a family: vectors of its observations, and what a model sees and predicts.

    | observation space            | state                                                    |
    |------------------------------|----------------------------------------------------------|
    | Box                          | its numbers as they are, one axis                        |
    | Box of uint8, an image       | averaged to at most 8 x 8 cells a channel, in [0, 1]     |
    | Discrete, MultiDiscrete      | codes one-hot, side by side                              |
    | MultiBinary                  | zeros and ones                                           |
    | Text                         | characters one-hot if short, else codes in [0, 1]        |
    | Dict and Tuple, also nested  | their parts side by side, in order                       |
    """

    def __init__(
        self,
        observation_space: Space,
        device: torch.device | str,
        view: DynamicsView | None = None,
    ) -> None:
        """Find the vector's parts, and how many numbers a model sees and predicts.

        Args:
            observation_space: the environment's own.
            device: where the observations lie.
            view: the family's view of its dynamics; None: a model sees the state, and predicts how
                it changes.

        Raises:
            SpaceError: for a space that has no vector, or a view of one that is no Box of one axis.
        """
        if view is not None and not _is_vector(observation_space):
            raise SpaceError(
                f"{type(view).__name__} is a DynamicsView, and observes {observation_space}. A "
                "view is shown states for observations: expected a Box of one axis. Observe such "
                "a Box, or offer no view."
            )
        self._seen = ObservationView(observation_space, device)
        self._view = view
        seen = self._seen.space
        named = seen.spaces if isinstance(seen, spaces.Dict) else {"": seen}
        self._parts = {name: _part(leaf, device) for name, leaf in named.items()}
        self.size: int = sum(size for size, _ in self._parts.values())
        """Numbers of a state (S)."""
        self.num_inputs: int = self.inputs(torch.zeros(1, self.size, device=device)).shape[-1]
        """Numbers that a model sees of it (F)."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Itself: nothing about it changes, and a view may be a family that cannot be copied."""
        return self

    def vectors(self, observation: Tree) -> Tensor:
        """States [envs, S] float32 of observations [envs, *observation]."""
        seen = self._seen.tensors(observation)
        named = seen if isinstance(seen, dict) else {"": seen}
        return torch.cat([convert(named[name]) for name, (_, convert) in self._parts.items()], 1)

    def inputs(self, state: Tensor) -> Tensor:
        """What a model sees of states, [..., S] -> [..., F]."""
        return state if self._view is None else self._view.model_inputs(state)

    def targets(self, state: Tensor, following: Tensor) -> Tensor:
        """What it should predict of transitions, [..., S]; by default the difference."""
        if self._view is None:
            return following - state
        return self._view.model_targets(state, following)

    def following(self, state: Tensor, target: Tensor) -> Tensor:
        """The states that such predictions lead to, [..., S]: the inverse of `targets`."""
        if self._view is None:
            return state + target
        return self._view.predicted_observation(state, target)


class FamilyRewards:
    """What a family pays for imagined transitions, and where it ends the episode."""

    def __init__(self, family: RewardModel, observation_space: Space, controls: Controls) -> None:
        """
        Raises:
            SpaceError: for observations that cannot be told from states; see `serves`.
        """
        if not self.serves(family, observation_space):
            raise SpaceError(
                f"{type(family).__name__} with observations {observation_space} cannot pay "
                "imagined states: expected a RewardModel that observes a Box of numbers. Learn the "
                'reward instead (reward = "learned").'
            )
        self._family, self._controls = family, controls
        self._shape, self._dtype = observation_space.shape or (), leaf_dtype(observation_space)

    @staticmethod
    def serves(family: object, observation_space: Space) -> bool:
        """Whether a family offers its reward, and can be asked of states as of observations."""
        return isinstance(family, RewardModel) and holds_numbers(observation_space)

    def __call__(self, state: Tensor, control: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Rewards [...] float32 and terminations [...] bool of transitions.

        Args:
            state: where they begin, [..., S].
            control: what was done, [..., A].
            following: where they lead, [..., S].
        """
        reward, terminated = self._family.reward_and_termination(
            self._observed(state), self._controls.decoded(control), self._observed(following)
        )
        return reward, terminated

    def _observed(self, state: Tensor) -> Tensor:
        """Whole numbers are the nearest ones: a model predicts none exactly."""
        shown = state.reshape(*state.shape[:-1], *self._shape)
        return shown if self._dtype.is_floating_point else shown.round().to(self._dtype)


def holds_numbers(space: Space) -> bool:
    """Whether a state is the observation itself, with one axis: a Box that is no image."""
    return isinstance(space, spaces.Box) and not is_image(space)


def _is_vector(space: Space) -> bool:
    return holds_numbers(space) and len(space.shape or ()) == 1


def _part(seen: Space, device: torch.device | str) -> tuple[int, Convert]:
    """The size of a part of the state, and what makes it of a leaf that `ObservationView` shows."""
    if isinstance(seen, spaces.Discrete):
        codes = torch.arange(int(seen.n), device=device)
        return int(seen.n), lambda x: (x.reshape(-1, 1) == codes).float()
    shape = tuple(seen.shape or ())
    if is_image(seen):
        return _cells(shape)
    return prod(shape), lambda x: x.flatten(1).float()


def _cells(shape: tuple[int, ...]) -> tuple[int, Convert]:
    """Average the pixels of an image, [envs, *shape] uint8 -> [envs, channels * cells]."""
    channel = channel_axis(shape)
    height, width = (min(CELLS, side) for axis, side in enumerate(shape) if axis != channel)

    def convert(x: Tensor) -> Tensor:
        images = x.movedim(1 + channel, 1).float() / 255
        return adaptive_avg_pool2d(images, (height, width)).flatten(1)

    return shape[channel] * height * width, convert
