"""The agent `random`: uniform over any action space, the lowest line of every figure."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.agent import Agent, Interface
from icrl.config import Config
from icrl.policy import Policy
from icrl.spaces import leaf_dtype, leaf_shape, leaf_spaces
from icrl.timestep import TimeStep
from icrl.trees import Tree, map_tree


class RandomAgent(Agent):
    """Learns nothing and acts uniformly at random."""

    def policy(self, *, argmax: bool = False) -> "RandomPolicy":
        """The uniform policy, in which no action is likelier than another."""
        return RandomPolicy(self.interface.action_space, self.device)

    def save(self, directory: Path) -> None:
        """Write the interface: all that there is."""
        self.interface.save(Path(directory) / "interface.json")

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote."""
        return cls(Config(), Interface.load(Path(directory) / "interface.json"), device)


class RandomPolicy(Policy[None]):
    """Acts uniformly at random; it remembers nothing.

    A Box's bounded entries are uniform between their bounds; as in Gymnasium, entries without
    bounds are normal, those with one bound exponential away from it.
    """

    def __init__(self, action_space: Space, device: torch.device | str) -> None:
        self._draws: Tree = map_tree(
            lambda space: _draw_of(space, torch.device(device)), leaf_spaces(action_space)
        )

    def initial_context(self, num_envs: int) -> None:
        """Nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tree, None]:
        """One random action for each environment."""
        num_envs = len(timestep.reward)
        return map_tree(lambda draw: draw(num_envs, generator), self._draws), None


def _draw_of(space: Space, device: torch.device) -> Any:
    """The function `(rows, generator) -> Tensor` that draws uniformly from a leaf space."""
    shape, dtype = leaf_shape(space), leaf_dtype(space)

    def uniform(rows: int, generator: torch.Generator) -> Tensor:
        return torch.rand((rows, *shape), generator=generator, device=device, dtype=torch.float64)

    match space:
        case spaces.Discrete():
            start, stop = int(space.start), int(space.start + space.n)
            return lambda rows, generator: torch.randint(
                start, stop, (rows,), generator=generator, device=device
            )
        case spaces.MultiBinary():
            return lambda rows, generator: torch.randint(
                0, 2, (rows, *shape), generator=generator, device=device
            )
        case spaces.Text():
            return _text_draw(space, device)
        case spaces.Box() if np.issubdtype(space.dtype, np.floating):
            return _float_draw(space, device)
        case spaces.MultiDiscrete():
            low, count = space.start, space.nvec
        case spaces.Box():
            low, count = space.low, space.high.astype(np.int64) - space.low + 1
        case _:
            raise AssertionError("leaf_spaces refuses every other space")
    lowest, counts = (torch.as_tensor(a.astype(np.int64), device=device) for a in (low, count))
    return lambda rows, generator: (lowest + _below(counts, uniform(rows, generator))).to(dtype)


def _below(count: Tensor, uniform: Tensor) -> Tensor:
    """Integers below `count`, from uniforms in [0, 1); the clamp guards against rounding up."""
    return torch.minimum((uniform * count).long(), count - 1)


def _float_draw(space: spaces.Box, device: torch.device) -> Any:
    dtype, shape = leaf_dtype(space), leaf_shape(space)
    below, above = (
        torch.as_tensor(b, device=device) for b in (space.bounded_below, space.bounded_above)
    )
    finite = (
        np.nan_to_num(b, posinf=0.0, neginf=0.0).astype(np.float64) for b in (space.low, space.high)
    )
    low, high = (torch.as_tensor(b, device=device) for b in finite)

    def draw(rows: int, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(
            (rows, *shape), generator=generator, device=device, dtype=torch.float64
        )
        normal = torch.randn(
            (rows, *shape), generator=generator, device=device, dtype=torch.float64
        )
        exponential = -torch.log1p(-uniform)
        one_sided = torch.where(below, low + exponential, high - exponential)
        unbounded = torch.where(below | above, one_sided, normal)
        value = torch.where(below & above, low + uniform * (high - low), unbounded).to(dtype)
        return torch.where(below & above, value.clamp(low.to(dtype), high.to(dtype)), value)

    return draw


def _text_draw(space: spaces.Text, device: torch.device) -> Any:
    shortest, longest, characters = space.min_length, space.max_length, len(space.character_list)
    position = torch.arange(longest, device=device)

    def draw(rows: int, generator: torch.Generator) -> Tensor:
        length = torch.randint(shortest, longest + 1, (rows, 1), generator=generator, device=device)
        codes = torch.randint(
            1, characters + 1, (rows, longest), generator=generator, device=device
        )
        return torch.where(position < length, codes, 0)

    return draw
