"""Elimination: no action is tried twice while the same is seen.

The adaptive policy of the classification example of Ghosh et al. 2021, "Why Generalization in RL
is Difficult: Epistemic POMDPs and Implicit Partial Observability", arXiv:2107.06277.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.nn.actions import gumbel_argmax
from icrl.policy import Policy
from icrl.spaces import zeros
from icrl.timestep import TimeStep
from icrl.trees import Tree, leaves

IMPOSSIBLE = -1e4
"""The least log probability: what is impossible comes last, but before what was tried."""


class Tried(NamedTuple):
    """What an episode has shown so far."""

    actions: Tensor
    """[envs, actions] bool: what was tried, to no end, since `observation` came to be seen."""
    observation: Tree
    """[envs, *observation]: what was seen last."""


class EliminationPolicy(Policy[Tried]):
    """Goes through the actions, the likeliest first, or in an order that is drawn.

    What was tried counts for as long as the episode lasts and the same observation is seen; once
    everything was tried, it begins anew.
    """

    def __init__(
        self,
        log_probs: Callable[[Tree], Tensor],
        observation_space: Space,
        action_space: spaces.Discrete,
        device: torch.device | str,
        *,
        decoding: Literal["argmax", "sample"] = "argmax",
    ) -> None:
        """
        Args:
            log_probs: of any policy or classifier: observations [envs, *observation] to the
                logarithms of the actions' probabilities, [envs, actions].
            observation_space: what is seen.
            action_space: what is tried.
            device: where it acts.
            decoding: how the next one is chosen among the actions that are left: the likeliest, or
                one that is drawn by their probabilities.
        """
        self.log_probs = log_probs
        self.decoding = decoding
        self._observation_space = observation_space
        self._start = int(action_space.start)
        self._codes = torch.arange(int(action_space.n), device=device)
        self._device = device

    def initial_context(self, num_envs: int) -> Tried:
        """Nothing tried."""
        shape = (num_envs, len(self._codes))
        nothing = torch.zeros(shape, dtype=torch.bool, device=self._device)
        return Tried(nothing, zeros(self._observation_space, (num_envs,), self._device))

    @torch.no_grad()
    def act(
        self, timestep: TimeStep, context: Tried, generator: torch.Generator
    ) -> tuple[Tensor, Tried]:
        """The next action that was not tried."""
        goes_on = same(timestep.observation, context.observation) & ~timestep.episode_start
        last = self._codes == (timestep.action - self._start).unsqueeze(1)
        tried = (context.actions | last) & goes_on.unsqueeze(1)
        tried = tried & ~tried.all(1, keepdim=True)
        scores = self.log_probs(timestep.observation).float().clamp_min(IMPOSSIBLE)
        left = scores.masked_fill(tried, -torch.inf)
        chosen = gumbel_argmax(left, generator) if self.decoding == "sample" else left.argmax(1)
        return chosen + self._start, Tried(tried, timestep.observation)


def same(one: Tree, other: Tree) -> Tensor:
    """Whether two trees agree in each row, [envs] bool."""
    pairs = zip(leaves(one), leaves(other), strict=True)
    return torch.stack([(a == b).reshape(len(a), -1).all(1) for (_, a), (_, b) in pairs]).all(0)
