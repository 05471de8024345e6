"""BEB: plan each episode in the mean MDP, with a bonus for what was seldom tried.

Kolter and Ng 2009, "Near-Bayesian Exploration in Polynomial Time", doi:10.1145/1553374.1553441.
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
    transition_mean,
)
from icrl_classic.tabular_config import BEBConfig


class BEBPolicy(PlanningPolicy):
    """Acts optimally in the posterior's mean, in which the unknown pays more than it is thought to.

    The bonus of an action is `reward_bonus / (1 + n)`, where n is what the posterior of its reward
    is worth, plus `transition_bonus * remaining / (1 + m)`, where m is what the posterior of its
    transitions is worth, and `remaining` the steps of the episode after this one; both in units of
    a reward's deviation.
    """

    def __init__(self, mdp: TabularMDP, config: BEBConfig, device: torch.device) -> None:
        super().__init__(mdp, config, device)
        self.reward_bonus = config.reward_bonus * self.belief.deviation
        self.transition_bonus = config.transition_bonus * self.belief.deviation

    def plan(self, experience: Experience, generator: torch.Generator) -> Tensor:
        """Value iteration in the mean MDP with the bonus."""
        counts = 1 + self.belief.strength(experience.pulls)
        reward = self.belief.mean(experience.pulls, experience.paid) + self.reward_bonus / counts
        ahead = self.transition_bonus / (1 + experience.led.sum(-1))
        return plan(
            self.mdp.table(transition_mean(experience.led)),
            self.mdp.table(reward),
            self.horizon,
            bonus_ahead=self.mdp.table(ahead),
        )


class BEBAgent(ClassicAgent):
    """Bayesian exploration bonus."""

    config_class = BEBConfig
    config: BEBConfig

    def new_policy(self) -> BEBPolicy:
        """Serves finitely many states and actions."""
        return BEBPolicy(mdp_to_plan(self, self.config), self.config, self.device)
