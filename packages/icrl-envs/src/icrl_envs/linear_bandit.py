"""Linear bandit: what an arm pays depends on its features, which change, and on hidden weights.

Sinii et al. 2023, "In-Context Reinforcement Learning for Variable Action Spaces" (Headless-AD),
arXiv:2312.13327; for the view of the arms, Li et al. 2010, "A Contextual-Bandit Approach to
Personalized News Article Recommendation" (LinUCB), arXiv:1003.0146.
"""

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.native import Consequence, State, Task
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl_envs.bandits import FAR, Bandit
from icrl_envs.counts import check_counts


class LinearBandit(Bandit):
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

    The numbers (2 features, noise 1, 300 pulls, both laws) are Headless-AD's. Its paper leaves open
    which factor is shown. Its code hides the arms' features, which it keeps, and shows what they
    are multiplied by, which changes: that is `ContextualBandit`. Here it is the other way round, as
    in LinUCB, whose agent learns one vector of weights. Its number of arms varies from task to task
    between 4 and 20; ours is fixed, as an action space is.

    Keywords: `num_arms` (20), `num_features` (2), `horizon` (300), `split_seed`.
    """

    pay_range = (-2.0, 2.0)

    def __init__(
        self,
        *,
        num_arms: int = 20,
        num_features: int = 2,
        horizon: int = 300,
        split_seed: int = 0,
    ) -> None:
        super().__init__(num_arms, horizon, split_seed)
        check_counts(1, num_features=num_features)
        self.num_features = num_features
        self._scale = num_features**-0.5
        self.observation_space = spaces.Box(-FAR, FAR, (num_arms, num_features), np.float32)
        every_weight = spaces.Box(-np.inf, np.inf, (num_features,), np.float32)
        self.task_space = spaces.Dict({"weights": every_weight})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Weights [tasks, features] of a split."""
        stream = self._stream(num_tasks, split, seed)
        weights = torch.randn(num_tasks, self.num_features, generator=stream) * self._scale
        return self._tasks(split, {"weights": weights})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The arms' features [envs, arms, features]."""
        weights = task["weights"]
        shape = (len(weights), self.num_arms, self.num_features)
        return torch.randn(shape, generator=generator, device=weights.device).mul_(self._scale)

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Pull an arm; all features change."""
        pulled = state[torch.arange(len(action), device=action.device), action]
        expected = (pulled * task["weights"]).sum(-1)
        noise = torch.randn(action.shape, generator=generator, device=action.device)
        return Consequence(self.initial(task, generator), expected + noise)

    def observation(self, state: State, task: Task) -> Tensor:
        """The features."""
        return state.clone()

    def expected_pay(self, task: Task, observation: Tree) -> Tensor:
        """The product of features and weights, [envs, arms]."""
        return (observation @ task["weights"].unsqueeze(-1)).squeeze(-1)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The largest of `num_arms` normal numbers at each pull, [tasks] float32."""
        spread = tasks.arrays["weights"].norm(dim=-1) * self._scale
        return self.max_episode_steps * expected_maximum(self.num_arms) * spread

    def random_return(self, tasks: Tasks) -> Tensor:
        """0: features have mean 0, [tasks] float32."""
        return torch.zeros_like(tasks.arrays["weights"][:, 0])


def expected_maximum(count: int) -> float:
    """The mean of the largest of `count` independent standard normal numbers.

    By parts, it is 12 minus the integral of Phi(x)^count from -12 to 12, beyond which nothing is.
    """
    x = torch.linspace(-12, 12, 2401, dtype=torch.float64)
    return float(12 - torch.trapezoid(torch.special.ndtr(x) ** count, x))
