"""TimeStep: what an agent gets before it decides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from gymnasium import Space
from torch import Tensor

from icrl.spaces import zeros
from icrl.trees import Tree, map_tree


@dataclass(frozen=True)
class TimeStep:
    """What an agent gets before it decides.

    Leading axes are [envs] when acting, [batch, time] when training.
    """

    observation: Tree
    """[envs, *observation], a tensor, or a dict or tuple of tensors as the space has it."""
    action: Tree
    """[envs, *action]: the action that led here; zeros at the start of a trial."""
    reward: Tensor
    """[envs] float32: what it earned, in the environment's own units."""
    outcome: Tree
    """What that action led to: `observation`, or the last one of the episode that it ended."""
    terminated: Tensor
    """[envs] bool: whether it ended the episode by termination (not truncation)."""
    episode_start: Tensor
    """[envs] bool: whether `observation` opens an episode."""

    @classmethod
    def first(cls, observation: Tree, action_space: Space) -> Self:
        """The timestep that opens a trial: action, reward and flags are zero, as none led here."""
        leaf = observation
        while isinstance(leaf, dict | tuple):
            leaf = next(iter(leaf.values())) if isinstance(leaf, dict) else leaf[0]
        rows, device = (len(leaf),), leaf.device
        return cls(
            observation=observation,
            action=zeros(action_space, rows, device),
            reward=torch.zeros(rows, device=device),
            outcome=observation,
            terminated=torch.zeros(rows, dtype=torch.bool, device=device),
            episode_start=torch.ones(rows, dtype=torch.bool, device=device),
        )

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The timestep with `function` applied to every tensor: `t.map(lambda x: x[:, -1])`."""
        return type(self)(
            observation=map_tree(function, self.observation),
            action=map_tree(function, self.action),
            reward=function(self.reward),
            outcome=map_tree(function, self.outcome),
            terminated=function(self.terminated),
            episode_start=function(self.episode_start),
        )
