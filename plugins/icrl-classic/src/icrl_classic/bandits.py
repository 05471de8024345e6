"""Bandits: one state, some arms, and policies that count what each arm paid."""

from abc import abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl_classic.beliefs import belief_of
from icrl_classic.config import BanditConfig
from icrl_classic.finite import FiniteSpace


class Seen(NamedTuple):
    """What a trial has shown so far."""

    pulls: Tensor
    """[envs, arms]: how often each arm was pulled."""
    paid: Tensor
    """[envs, arms]: what it paid in all."""
    steps: int
    """How many timesteps the policy has been given; the first tells of no pull."""


class BanditPolicy(Policy[Seen]):
    """Decides from how often each arm was pulled and what it paid, over the whole trial."""

    def __init__(self, arms: FiniteSpace, config: BanditConfig, device: torch.device) -> None:
        self.arms = arms
        self.config = config
        self.belief = belief_of(config)
        self.device = device

    @abstractmethod
    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The number [envs] of the arm to pull."""

    def initial_context(self, num_envs: int) -> Seen:
        """No pull yet."""
        zero = torch.zeros(num_envs, self.arms.size, device=self.device)
        return Seen(zero, zero.clone(), 0)

    def act(
        self, timestep: TimeStep, context: Seen, generator: torch.Generator
    ) -> tuple[Tensor, Seen]:
        """Take the last pull into account, and choose the next."""
        seen = context._replace(steps=context.steps + 1)
        if context.steps > 0:
            arm = self.arms.number(timestep.action).unsqueeze(1)
            credit = self.belief.credited(timestep.reward).unsqueeze(1)
            seen.pulls.scatter_add_(1, arm, torch.ones_like(credit))
            seen.paid.scatter_add_(1, arm, credit)
        return self.arms.element(self.choose(seen, generator)), seen


def best(index: Tensor, ties: Literal["first", "random"], generator: torch.Generator) -> Tensor:
    """The number [envs] of the arm whose index [envs, arms] is highest."""
    if ties == "first":
        return index.argmax(1)
    lots = torch.rand(index.shape, generator=generator, device=index.device)
    return torch.where(index == index.amax(1, keepdim=True), lots, -1.0).argmax(1)


def sometimes_any(
    chosen: Tensor, epsilon: float | Tensor, num_actions: int, generator: torch.Generator
) -> Tensor:
    """The chosen actions [envs], each replaced by a uniform one with probability `epsilon`: one for
    all, or [envs].
    """
    any_action = torch.randint(num_actions, chosen.shape, generator=generator, device=chosen.device)
    chance = torch.rand(chosen.shape, generator=generator, device=chosen.device)
    return torch.where(chance < epsilon, any_action, chosen)
