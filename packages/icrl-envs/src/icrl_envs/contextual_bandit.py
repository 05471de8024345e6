"""Contextual bandit: which arm pays depends on a context that changes, and on hidden features.

Sinii et al. 2023, "In-Context Reinforcement Learning for Variable Action Spaces" (Headless-AD),
arXiv:2312.13327.
"""

import torch
from torch import Tensor

from icrl.native import State, Task
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl_envs.feature_bandits import FeatureBandit

NUM_CONTEXTS, TASKS_AT_ONCE = 1024, 64
"""Contexts over which the optimum is averaged, and how many tasks fit into memory meanwhile."""


class ContextualBandit(FeatureBandit):
    """Arms whose features are hidden, for visitors of whom something is known.

    | what        | space                    | meaning                                           |
    |-------------|--------------------------|---------------------------------------------------|
    | observation | Box [features]           | the context of the next pull                      |
    | action      | Discrete(num_arms)       | the arm that is pulled                            |
    | reward      | a number                 | normal: features @ context, standard deviation 1  |
    | episode     | 300 pulls                | truncated; it is the whole trial                  |
    | task        | features [arms, features]| normal, variance 1 / num_features each            |

    The context is drawn anew for each pull: normal, of variance 1 / num_features each. Tasks are
    continuous: train and test draw from streams seeded apart, by split and `split_seed`. Who knows
    the task earns 351 on average (20 arms, 2 features; averaged over 1024 contexts that fill the
    space evenly, to within 0.2 %), a uniform random policy 0.

    The laws are those of Headless-AD's code. There the number of arms varies from task to task
    between 4 and 20; ours is fixed, as an action space is.

    Keywords: `num_arms` (20), `num_features` (2), `horizon` (300), `split_seed`.
    """

    hidden = "features"

    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Those of a context and of all arms' features."""
        return (self.num_features,), (self.num_arms, self.num_features)

    def expected_of(self, state: State, arm: Tensor, task: Task) -> Tensor:
        """The product of the arm's features and the context."""
        rows = torch.arange(len(arm), device=arm.device)
        return (task["features"][rows, arm] * state).sum(-1)

    def expected_pay(self, task: Task, observation: Tree) -> Tensor:
        """The product of features and context, [envs, arms]."""
        return (task["features"] @ observation.unsqueeze(-1)).squeeze(-1)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The best arm of each context, averaged over evenly spread contexts, [tasks] float32."""
        features = tasks.arrays["features"]
        evenly = torch.quasirandom.SobolEngine(self.num_features, scramble=True, seed=0)
        spread = evenly.draw(NUM_CONTEXTS, dtype=torch.float64)
        contexts = (torch.special.ndtri(spread) * self.scale).to(features)
        best = [(part @ contexts.T).amax(1).mean(-1) for part in features.split(TASKS_AT_ONCE)]
        return self.max_episode_steps * torch.cat(best)
