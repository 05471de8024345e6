"""Contextual bandit: which arm pays depends on a context that changes, and on hidden features.

Sinii et al. 2023, "In-Context Reinforcement Learning for Variable Action Spaces" (Headless-AD),
arXiv:2312.13327.
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

NUM_CONTEXTS, TASKS_AT_ONCE = 4096, 64
"""Contexts over which the optimum is averaged, and how many tasks fit into memory meanwhile."""


class ContextualBandit(Bandit):
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
    the task earns 351 on average (20 arms, 2 features; averaged over 4096 contexts that fill the
    space evenly, to within 0.2 %), a uniform random policy 0.

    The laws are those of Headless-AD's code. There the number of arms varies from task to task
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
        self.observation_space = spaces.Box(-FAR, FAR, (num_features,), np.float32)
        every_feature = spaces.Box(-np.inf, np.inf, (num_arms, num_features), np.float32)
        self.task_space = spaces.Dict({"features": every_feature})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Features [tasks, arms, features] of a split."""
        stream = self._stream(num_tasks, split, seed)
        shape = (num_tasks, self.num_arms, self.num_features)
        return self._tasks(split, {"features": torch.randn(shape, generator=stream) * self._scale})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The context [envs, features]."""
        features = task["features"]
        shape = (len(features), self.num_features)
        return torch.randn(shape, generator=generator, device=features.device).mul_(self._scale)

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Pull an arm; another context comes."""
        pulled = task["features"][torch.arange(len(action), device=action.device), action]
        expected = (pulled * state).sum(-1)
        noise = torch.randn(action.shape, generator=generator, device=action.device)
        return Consequence(self.initial(task, generator), expected + noise)

    def observation(self, state: State, task: Task) -> Tensor:
        """The context."""
        return state.clone()

    def expected_pay(self, task: Task, observation: Tree) -> Tensor:
        """The product of features and context, [envs, arms]."""
        return (task["features"] @ observation.unsqueeze(-1)).squeeze(-1)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The best arm of each context, averaged over evenly spread contexts, [tasks] float32."""
        features = tasks.arrays["features"]
        evenly = torch.quasirandom.SobolEngine(self.num_features, scramble=True, seed=0)
        spread = evenly.draw(NUM_CONTEXTS, dtype=torch.float64)
        contexts = (torch.special.ndtri(spread) * self._scale).to(features)
        best = [(part @ contexts.T).amax(1).mean(-1) for part in features.split(TASKS_AT_ONCE)]
        return self.max_episode_steps * torch.cat(best)

    def random_return(self, tasks: Tasks) -> Tensor:
        """0: contexts have mean 0, [tasks] float32."""
        return torch.zeros_like(tasks.arrays["features"][:, 0, 0])
