"""Linear bandit: what an arm pays depends on its features, which change, and on hidden weights.

Sinii et al. 2023, "In-Context Reinforcement Learning for Variable Action Spaces" (Headless-AD),
arXiv:2312.13327; for the view of the arms, Li et al. 2010, "A Contextual-Bandit Approach to
Personalized News Article Recommendation" (LinUCB), arXiv:1003.0146.
"""

import torch
from torch import Tensor

from icrl.native import State, Task
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl_envs.feature_bandits import FeatureBandit


class LinearBandit(FeatureBandit):
    """Arms that show what they are like, anew at each pull.

    | what        | space                    | meaning                                           |
    |-------------|--------------------------|---------------------------------------------------|
    | observation | Box [arms, features]     | each arm's features for the next pull             |
    | action      | Discrete(num_arms)       | the arm that is pulled                            |
    | reward      | a number                 | normal: features @ weights, standard deviation 1  |
    | episode     | 300 pulls                | truncated; it is the whole trial                  |
    | task        | weights [features]       | normal, variance 1 / num_features each            |

    Features are normal too, of variance 1 / num_features each. Tasks are continuous: train and test
    draw from streams seeded apart, by split and `split_seed`. Who knows the task earns 351 on
    average (20 arms, 2 features), a uniform random policy 0.

    The numbers (2 features, noise 1, 300 pulls, both laws) are Headless-AD's, with the two factors
    exchanged. There, the arms' features are kept and hidden, and what they are multiplied by is
    shown and changes: that is `ContextualBandit`. Here it is the other way round, as in LinUCB with
    features of arms, so that one vector of weights is to be learned. Headless-AD's number of arms
    varies from task to task between 4 and 20; ours is fixed, as an action space is.

    Keywords: `num_arms` (20), `num_features` (2), `horizon` (300), `split_seed`.
    """

    hidden = "weights"

    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Those of all arms' features and of the weights."""
        return (self.num_arms, self.num_features), (self.num_features,)

    def expected_of(self, state: State, arm: Tensor, task: Task) -> Tensor:
        """The product of the arm's features and the weights."""
        rows = torch.arange(len(arm), device=arm.device)
        return (state[rows, arm] * task["weights"]).sum(-1)

    def expected_pay(self, task: Task, observation: Tree) -> Tensor:
        """The product of features and weights, [envs, arms]."""
        return (observation @ task["weights"].unsqueeze(-1)).squeeze(-1)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The largest of `num_arms` normal numbers at each pull, [tasks] float32."""
        spread = tasks.arrays["weights"].norm(dim=-1) * self.scale
        return self.max_episode_steps * expected_maximum(self.num_arms) * spread


def expected_maximum(count: int) -> float:
    """The mean of the largest of `count` independent standard normal numbers.

    By parts, it is 12 minus the integral of Phi(x)^count from -12 to 12, beyond which nothing is.
    """
    x = torch.linspace(-12, 12, 2401, dtype=torch.float64)
    return float(12 - torch.trapezoid(torch.special.ndtr(x) ** count, x))
