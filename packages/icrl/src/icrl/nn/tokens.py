"""Tokens: one vector for each timestep, of what led to it and what it shows."""

import torch
from gymnasium import Space
from torch import Tensor, nn

from icrl.nn.encoders import SpaceEncoder
from icrl.nn.normalisation import CLIP
from icrl.timestep import TimeStep

REWARD_STD, FLAG_STD = 0.5, 0.1


class TimeStepEncoder(nn.Module):
    """One token a step: previous action, previous reward, observation, whether an episode ended
    and opens.

    It is the sum of one vector for each. A reward is linear in its value (cut off at ±10), its sign
    and its inverse hyperbolic sine, so that rewards of any scale are told apart. The action to be
    chosen at a step is no part of its token. Nor is `outcome`, which differs from the observation
    only where an episode ended: there the next token tells the action and the reward that ended it.
    """

    def __init__(self, observation_space: Space, action_space: Space, width: int) -> None:
        """
        Raises:
            SpaceError: for spaces that have no tensor form.
        """
        super().__init__()
        self.observation = SpaceEncoder(observation_space, width)
        self.action = SpaceEncoder(action_space, width)
        self.reward_and_flags = nn.Linear(5, width)
        nn.init.normal_(self.reward_and_flags.weight[:, :3], std=REWARD_STD / 3**0.5)
        nn.init.normal_(self.reward_and_flags.weight[:, 3:], std=FLAG_STD)

    def forward(self, timesteps: TimeStep) -> Tensor:
        """Timesteps with any leading axes -> [..., width]."""
        reward = timesteps.reward
        numbers = [
            reward.clamp(-CLIP, CLIP),
            reward.sign(),
            reward.asinh(),
            timesteps.episode_start.to(reward.dtype),
            timesteps.terminated.to(reward.dtype),
        ]
        token = self.observation(timesteps.observation) + self.action(timesteps.action)
        return token + self.reward_and_flags(torch.stack(numbers, -1))

    def observe(self, timesteps: TimeStep) -> None:
        """Take timesteps into the running statistics: for training alone, and before the forward
        pass.
        """
        self.observation.observe(timesteps.observation)
        self.action.observe(timesteps.action)
