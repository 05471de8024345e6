"""Greedy and epsilon-greedy: take what looks best so far; now and then take anything."""

import torch
from torch import Tensor

from icrl_classic.agent import ClassicAgent
from icrl_classic.bandits import BanditPolicy, Seen, best, sometimes_any
from icrl_classic.config import EpsilonGreedyConfig, GreedyConfig, PlanningConfig
from icrl_classic.finite import FiniteSpace
from icrl_classic.mean_planner import MeanPlanner
from icrl_classic.tabular import mdp_to_plan


class GreedyPolicy(BanditPolicy):
    """Pulls the arm of the highest posterior mean, and with probability `epsilon` any."""

    def __init__(
        self, arms: FiniteSpace, config: PlanningConfig, device: torch.device, *, epsilon: float
    ) -> None:
        super().__init__(arms, config, device)
        self.epsilon = epsilon

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm that looks best, or any."""
        greedy = best(self.belief.mean(seen.pulls, seen.paid), self.config.ties, generator)
        if not self.epsilon:
            return greedy
        return sometimes_any(greedy, self.epsilon, self.arms.size, generator)


class GreedyAgent(ClassicAgent):
    """Takes what looks best so far."""

    config_class = GreedyConfig
    config: GreedyConfig

    def new_policy(self) -> GreedyPolicy | MeanPlanner:
        """Serves bandits, and plans where there are several states."""
        return greedy_policy(self, self.config, epsilon=0.0)


class EpsilonGreedyAgent(ClassicAgent):
    """Takes what looks best so far, and now and then anything."""

    config_class = EpsilonGreedyConfig
    config: EpsilonGreedyConfig

    def new_policy(self) -> GreedyPolicy | MeanPlanner:
        """Serves bandits, and plans where there are several states."""
        return greedy_policy(self, self.config, epsilon=self.config.epsilon)


def greedy_policy(
    agent: ClassicAgent, config: PlanningConfig, *, epsilon: float
) -> GreedyPolicy | MeanPlanner:
    """What looks best, in one state by counting and in several by planning.

    Raises:
        SpaceError, ConfigError: if the agent's family cannot be served.
    """
    if agent.finite_states().size == 1:
        return GreedyPolicy(agent.finite_actions(), config, agent.device, epsilon=epsilon)
    return MeanPlanner(mdp_to_plan(agent, config), config, agent.device, epsilon=epsilon)
