"""MeanPlanner: what `greedy` and `epsilon-greedy` do where there is more than one state."""

import torch
from torch import Tensor

from icrl_classic.planning import plan
from icrl_classic.tabular import Experience, PlanningPolicy, transition_mean


class MeanPlanner(PlanningPolicy):
    """Plans in the mean of the posterior, as if nothing were uncertain."""

    def plan(self, experience: Experience, generator: torch.Generator) -> Tensor:
        """Value iteration in the mean MDP."""
        reward = self.belief.mean(experience.pulls, experience.paid)
        transition = transition_mean(experience.led)
        return plan(self.mdp.table(transition), self.mdp.table(reward), self.horizon)
