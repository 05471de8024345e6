"""UCB1: optimism in the face of uncertainty, one bound for each arm.

Auer, Cesa-Bianchi and Fischer 2002, "Finite-time Analysis of the Multiarmed Bandit Problem".
"""

import math

import torch
from torch import Tensor

from icrl_classic.agent import ClassicAgent
from icrl_classic.bandits import BanditPolicy, Seen, best
from icrl_classic.config import UCB1Config


class UCB1Policy(BanditPolicy):
    """Pulls the arm of the highest upper confidence bound."""

    config: UCB1Config

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm of the highest bound."""
        index = upper_bound(
            self.belief.mean(seen.pulls, seen.paid),
            self.belief.strength(seen.pulls),
            seen.steps,
            self.config.width * self.belief.deviation**2,
        )
        return best(index, self.config.ties, generator)


class UCB1Agent(ClassicAgent):
    """UCB1 with one success and one failure of each arm to begin with."""

    config_class = UCB1Config
    config: UCB1Config

    def new_policy(self) -> UCB1Policy:
        """Serves any bandit."""
        return UCB1Policy(self.bandit_arms(), self.config, self.device)


def upper_bound(mean: Tensor, pulls: Tensor, step: int, width: float) -> Tensor:
    """`mean + sqrt(2 c ln t / n)`, [envs, arms]; `step` t counts from 1, `width` is c."""
    return mean + (2 * width * math.log(step) / pulls).sqrt()
