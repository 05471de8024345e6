"""UCRL2: plan each episode in the best MDP that the observations leave plausible.

Jaksch, Ortner and Auer 2010, "Near-optimal Regret Bounds for Reinforcement Learning", for episodes
of a known length: a plan for each of them, by extended value iteration up to its end.
"""

import torch
from torch import Tensor

from icrl_classic.agent import ClassicAgent
from icrl_classic.planning import optimistic_plan
from icrl_classic.tabular import (
    Experience,
    PlanningPolicy,
    TabularMDP,
    mdp_to_plan,
    transition_mean,
)
from icrl_classic.tabular_config import UCRL2Config


class UCRL2Policy(PlanningPolicy):
    """Acts optimally in the best MDP within confidence intervals around what was seen.

    In episode k, what was seen n times is known up to `width * sqrt(4 ln(2 S A (k + 1) / failure) /
    max(n, 1))`: its mean reward with one width, its transitions, in the L1 norm, with another.
    """

    def __init__(self, mdp: TabularMDP, config: UCRL2Config, device: torch.device) -> None:
        super().__init__(mdp, config, device)
        self.reward_width = config.reward_width * self.belief.deviation
        self.transition_width = config.transition_width
        self.failure = config.failure

    def plan(self, experience: Experience, generator: torch.Generator) -> Tensor:
        """Extended value iteration."""
        ways = 2 * self.mdp.num_arms / self.failure
        evidence = 4 * ((experience.episodes + 1) * ways).log()
        interval = (evidence.unsqueeze(1) / experience.pulls.clamp(min=1)).sqrt()
        reward = self.belief.mean(experience.pulls, experience.paid)
        return optimistic_plan(
            self.mdp.table(transition_mean(experience.led)),
            self.mdp.table(reward + self.reward_width * interval),
            self.mdp.table(self.transition_width * interval),
            self.horizon,
        )


class UCRL2Agent(ClassicAgent):
    """Optimism in the face of uncertainty."""

    config_class = UCRL2Config
    config: UCRL2Config

    def new_policy(self) -> UCRL2Policy:
        """Serves finitely many states and actions."""
        return UCRL2Policy(mdp_to_plan(self, self.config), self.config, self.device)
