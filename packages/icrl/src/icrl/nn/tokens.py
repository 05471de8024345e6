"""Tokens: one vector for each timestep, of what led to it and what it shows."""

import torch
from gymnasium import Space
from torch import Tensor, nn

from icrl.nn.encoders import SpaceEncoder
from icrl.nn.normalisation import CLIP, symlog
from icrl.timestep import TimeStep

FLAG_STD = 0.1


class RewardEncoder(nn.Module):
    """A reward of any scale; [...] float -> [..., width]: linear in its value, its sign and its
    symlog.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(3, width)

    def forward(self, reward: Tensor) -> Tensor:
        features = torch.stack([reward.clamp(-CLIP, CLIP), reward.sign(), symlog(reward)], -1)
        return self.linear(features)


class TimeStepEncoder(nn.Module):
    """One token a step: previous action, previous reward, observation, and whether an episode ended
    and opens.

    The sum of one vector for each. The action to be chosen at a step is no part of its token. Nor
    is `outcome`, which differs from the observation only where an episode ended: there the next
    token tells the action and the reward that ended it.
    """

    def __init__(self, observation_space: Space, action_space: Space, width: int) -> None:
        """
        Raises:
            SpaceError: for spaces that have no tensor form.
        """
        super().__init__()
        self.observation = SpaceEncoder(observation_space, width)
        self.action = SpaceEncoder(action_space, width)
        self.reward = RewardEncoder(width)
        self.flags = nn.Parameter(torch.randn(2, width) * FLAG_STD)

    def forward(self, timesteps: TimeStep) -> Tensor:
        """Timesteps with any leading axes -> [..., width]."""
        token = self.observation(timesteps.observation) + self.action(timesteps.action)
        token = token + self.reward(timesteps.reward)
        flags = torch.stack([timesteps.episode_start, timesteps.terminated], -1)
        return token + flags.to(token.dtype) @ self.flags.to(token.dtype)

    def observe(self, timesteps: TimeStep) -> None:
        """Take timesteps into the running statistics: for training alone, and before the forward
        pass.
        """
        self.observation.observe(timesteps.observation)
        self.action.observe(timesteps.action)
