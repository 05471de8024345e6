"""LinUCB: upper confidence bounds where an arm's mean reward is linear in features that are seen.

Li, Chu, Langford and Schapire 2010, "A Contextual-Bandit Approach to Personalized News Article
Recommendation", arXiv:1003.0146.
"""

from typing import NamedTuple

import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.errors import SpaceError
from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl_classic.agent import ClassicAgent
from icrl_classic.config import LinUCBConfig
from icrl_classic.finite import FiniteSpace


class Regression(NamedTuple):
    """Ridge regressions of the rewards seen in a trial: one for all arms, or one for each."""

    inverse: Tensor
    """[envs, regressions, features, features]: of the ridge plus the sum of x xᵀ."""
    weighted: Tensor
    """[envs, regressions, features]: the sum of x times its reward."""
    features: Tensor
    """[envs, arms, features]: what was seen before the last pull."""
    begun: bool
    """Whether there was a last pull."""


class LinUCBPolicy(Policy[Regression]):
    """Pulls the arm of the highest bound x θ + alpha sqrt(xᵀ A⁻¹ x).

    Where each arm shows features of its own, all arms have one θ; where one context is shown for
    all of them, each arm has its own (the paper's "disjoint" model).
    """

    def __init__(
        self, arms: FiniteSpace, features: Space, config: LinUCBConfig, device: torch.device
    ) -> None:
        self.arms = arms
        self.shared = len(features.shape or ()) == 2
        self.num_features = (features.shape or (1,))[-1]
        self.config = config
        self.device = device

    def initial_context(self, num_envs: int) -> Regression:
        """Nothing seen: A is the ridge alone."""
        regressions = 1 if self.shared else self.arms.size
        ridge = torch.eye(self.num_features, device=self.device) / self.config.ridge
        shape = (num_envs, regressions, self.num_features)
        features = torch.zeros(num_envs, self.arms.size, self.num_features, device=self.device)
        inverse = ridge.expand(*shape, -1).clone()
        return Regression(inverse, torch.zeros(shape, device=self.device), features, begun=False)

    def act(
        self, timestep: TimeStep, context: Regression, generator: torch.Generator
    ) -> tuple[Tensor, Regression]:
        """Fit the last reward, and pull the arm of the highest bound."""
        seen = self.fitted(timestep, context) if context.begun else context
        observed = timestep.observation.to(torch.float32)
        features = observed if self.shared else observed.unsqueeze(1)
        features = features.expand(-1, self.arms.size, -1)
        bound = upper_bound(features, seen.inverse, seen.weighted, self.config.alpha)
        following = seen._replace(features=features, begun=True)
        return self.arms.element(bound.argmax(1)), following

    def fitted(self, timestep: TimeStep, context: Regression) -> Regression:
        """The regression with the last pull; A⁻¹ by Sherman and Morrison's formula."""
        arm = self.arms.number(timestep.action)
        rows = torch.arange(len(arm), device=arm.device)
        x = context.features[rows, arm]
        place = torch.zeros_like(arm) if self.shared else arm
        turned = (context.inverse[rows, place] @ x.unsqueeze(-1)).squeeze(-1)  # [envs, features]
        shrinkage = 1 + (x * turned).sum(-1)
        less = turned.unsqueeze(2) * turned.unsqueeze(1) / shrinkage[:, None, None]
        context.inverse[rows, place] -= less
        context.weighted[rows, place] += x * timestep.reward.unsqueeze(-1)
        return context


class LinUCBAgent(ClassicAgent):
    """LinUCB on features of arms, or on a context."""

    config_class = LinUCBConfig
    config: LinUCBConfig

    def new_policy(self) -> LinUCBPolicy:
        """Serves observations Box [arms, features] or [features], and finitely many arms.

        Raises:
            SpaceError: if the observation is something else.
        """
        arms, space = self.finite_actions(), self.interface.observation_space
        shape = space.shape or ()
        real = isinstance(space, spaces.Box) and space.dtype.kind == "f"
        if not (real and (len(shape) == 1 or (len(shape) == 2 and shape[0] == arms.size))):
            raise SpaceError(
                f"linucb sees features: a Box [{arms.size}, features], a row for each arm, or a "
                f"context [features]. {self.interface.family} has the observation space {space}."
            )
        return LinUCBPolicy(arms, space, self.config, self.device)


def upper_bound(features: Tensor, inverse: Tensor, weighted: Tensor, alpha: float) -> Tensor:
    """`x θ + alpha sqrt(xᵀ A⁻¹ x)` with θ = A⁻¹ b, [envs, arms].

    Args:
        features: x, [envs, arms, features].
        inverse: A⁻¹, [envs, regressions, features, features]: one regression for all arms, or one
            for each.
        weighted: b, [envs, regressions, features].
        alpha: how many standard deviations are added.
    """
    weights = (inverse @ weighted.unsqueeze(-1)).squeeze(-1)  # [envs, regressions, features]
    turned = (inverse @ features.unsqueeze(-1)).squeeze(-1)  # [envs, arms, features]
    variance = (features * turned).sum(-1).clamp(min=0)
    return (features * weights).sum(-1) + alpha * variance.sqrt()
