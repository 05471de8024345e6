"""Posterior sampling: plan each episode in an MDP drawn from the posterior.

Strens 2000, "A Bayesian Framework for Reinforcement Learning"; Osband, Russo and Van Roy 2013,
"(More) Efficient Reinforcement Learning via Posterior Sampling", arXiv:1306.0940.
"""

import torch
from torch import Tensor

from icrl_classic.agent import ClassicAgent
from icrl_classic.planning import plan
from icrl_classic.tabular import (
    Experience,
    PlanningPolicy,
    TabularMDP,
    mdp_to_plan,
    transition_sample,
)
from icrl_classic.tabular_config import OPSRLConfig, PSRLConfig, TabularConfig


class PSRLPolicy(PlanningPolicy):
    """Acts optimally in draws from the posterior, one for each episode.

    Of several draws, each action at each step counts for what it is worth in the best of them.
    """

    def __init__(
        self, mdp: TabularMDP, config: TabularConfig, device: torch.device, *, samples: int = 1
    ) -> None:
        super().__init__(mdp, config, device)
        self.samples = samples

    def plan(self, experience: Experience, generator: torch.Generator) -> Tensor:
        """Value iteration in every draw."""
        worth = self._plan_of_a_draw(experience, generator)
        for _ in range(self.samples - 1):
            worth = worth.maximum(self._plan_of_a_draw(experience, generator))
        return worth

    def _plan_of_a_draw(self, experience: Experience, generator: torch.Generator) -> Tensor:
        reward = self.belief.sample(experience.pulls, experience.paid, generator)
        transition = transition_sample(experience.led, generator, least=self.concentration)
        return plan(self.mdp.table(transition), self.mdp.table(reward), self.horizon)


class PSRLAgent(ClassicAgent):
    """Posterior sampling for reinforcement learning."""

    config_class = PSRLConfig
    config: PSRLConfig

    def new_policy(self) -> PSRLPolicy:
        """Serves finitely many states and actions."""
        return PSRLPolicy(mdp_to_plan(self, self.config), self.config, self.device)


class OPSRLAgent(ClassicAgent):
    """Optimistic posterior sampling: the best of several draws."""

    config_class = OPSRLConfig
    config: OPSRLConfig

    def new_policy(self) -> PSRLPolicy:
        """Serves finitely many states and actions."""
        mdp = mdp_to_plan(self, self.config)
        return PSRLPolicy(mdp, self.config, self.device, samples=self.config.samples)
