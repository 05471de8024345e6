"""Thompson sampling: pull the arm that is best in a draw from the posterior.

Thompson 1933, "On the likelihood that one unknown probability exceeds another". The optimistic
variant: May, Korda, Lee and Leslie 2012, "Optimistic Bayesian Sampling in Contextual-Bandit
Problems".
"""

import torch
from torch import Tensor

from icrl_classic.agent import ClassicAgent
from icrl_classic.bandits import BanditPolicy, Seen, best
from icrl_classic.config import OptimisticThompsonConfig, ThompsonConfig


class ThompsonPolicy(BanditPolicy):
    """Pulls each arm as often as it believes it to be the best."""

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm that is best in one draw."""
        draw = self.belief.sample(seen.pulls, seen.paid, generator)
        return best(draw, self.config.ties, generator)


class OptimisticThompsonPolicy(BanditPolicy):
    """Thompson sampling that explores upwards only: an arm never counts for less than its mean."""

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm that is best by its draw or its mean, whichever is more."""
        draw = self.belief.sample(seen.pulls, seen.paid, generator)
        mean = self.belief.mean(seen.pulls, seen.paid)
        return best(draw.maximum(mean), self.config.ties, generator)


class LikeliestDrawPolicy(BanditPolicy):
    """Draws the posterior several times and believes the draw of the highest density.

    One draw is Thompson sampling; the more there are, the closer it comes to the posterior's mode.
    """

    config: OptimisticThompsonConfig

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm that is best in the likeliest draw."""
        counted = seen.pulls, seen.paid
        believed = self.belief.sample(*counted, generator)
        density = self.belief.log_density(believed, *counted).sum(1)
        for _ in range(self.config.draws - 1):
            draw = self.belief.sample(*counted, generator)
            its_density = self.belief.log_density(draw, *counted).sum(1)
            believed = torch.where((its_density > density).unsqueeze(1), draw, believed)
            density = density.maximum(its_density)
        return best(believed, self.config.ties, generator)


class ThompsonAgent(ClassicAgent):
    """Thompson sampling from a conjugate posterior."""

    config_class = ThompsonConfig
    config: ThompsonConfig

    def new_policy(self) -> ThompsonPolicy:
        """Serves any bandit."""
        return ThompsonPolicy(self.bandit_arms(), self.config, self.device)


class OptimisticThompsonAgent(ClassicAgent):
    """Optimistic Thompson sampling."""

    config_class = OptimisticThompsonConfig
    config: OptimisticThompsonConfig

    def new_policy(self) -> OptimisticThompsonPolicy | LikeliestDrawPolicy:
        """Serves any bandit."""
        floor = self.config.rule == "floor"
        policy = OptimisticThompsonPolicy if floor else LikeliestDrawPolicy
        return policy(self.bandit_arms(), self.config, self.device)
