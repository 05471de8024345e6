"""Greedy and epsilon-greedy: take what looks best so far; now and then take anything."""

import torch
from torch import Tensor

from icrl_classic.agent import ClassicAgent
from icrl_classic.bandits import BanditPolicy, Seen, best, sometimes_any
from icrl_classic.beliefs import belief_of
from icrl_classic.config import EpsilonGreedyConfig, GreedyConfig
from icrl_classic.finite import FiniteSpace
from icrl_classic.mean_planner import MeanPlanner
from icrl_classic.tabular import has_several_states, mdp_to_plan


class GreedyPolicy(BanditPolicy):
    """Pulls the arm of the highest posterior mean."""

    def __init__(self, arms: FiniteSpace, config: GreedyConfig, device: torch.device) -> None:
        super().__init__(arms, belief_of(config), device)
        self.config = config

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm that looks best."""
        return best(self.belief.mean(seen.pulls, seen.paid), self.config.ties, generator)


class EpsilonGreedyPolicy(BanditPolicy):
    """Pulls the arm of the highest posterior mean, and with a small probability any."""

    def __init__(
        self, arms: FiniteSpace, config: EpsilonGreedyConfig, device: torch.device
    ) -> None:
        super().__init__(arms, belief_of(config), device)
        self.config = config

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm that looks best, or any."""
        greedy = best(self.belief.mean(seen.pulls, seen.paid), self.config.ties, generator)
        return sometimes_any(greedy, self.config.epsilon, self.arms.size, generator)


class GreedyAgent(ClassicAgent):
    """Takes what looks best so far."""

    config_class = GreedyConfig
    config: GreedyConfig

    def new_policy(self) -> GreedyPolicy | MeanPlanner:
        """Serves bandits, and plans where there are several states."""
        if has_several_states(self):
            return MeanPlanner(mdp_to_plan(self, self.config), self.config, self.device)
        return GreedyPolicy(self.bandit_arms(), self.config, self.device)


class EpsilonGreedyAgent(ClassicAgent):
    """Takes what looks best so far, and now and then anything."""

    config_class = EpsilonGreedyConfig
    config: EpsilonGreedyConfig

    def new_policy(self) -> EpsilonGreedyPolicy | MeanPlanner:
        """Serves bandits, and plans where there are several states."""
        if has_several_states(self):
            return MeanPlanner(
                mdp_to_plan(self, self.config),
                self.config,
                self.device,
                epsilon=self.config.epsilon,
            )
        return EpsilonGreedyPolicy(self.bandit_arms(), self.config, self.device)
