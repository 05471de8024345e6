"""Bernoulli bandit: arms that pay 1 or nothing, each with a chance of its own.

Duan et al. 2016, "RL²: Fast Reinforcement Learning via Slow Reinforcement Learning",
arXiv:1611.02779, section 3.1.
"""

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.native import Task
from icrl.tasks import Tasks
from icrl_envs.bandits import StationaryBandit, flips


class BernoulliBandit(StationaryBandit):
    """A slot machine whose arms pay 1 with unknown chances.

    | what        | space              | meaning                              |
    |-------------|--------------------|--------------------------------------|
    | observation | Discrete(1)        | nothing: always 0                    |
    | action      | Discrete(num_arms) | the arm that is pulled               |
    | reward      | 0 or 1             | 1 with the arm's probability         |
    | episode     | `horizon` pulls    | truncated; it is the whole trial     |
    | task        | probability [arms] | each uniform between 0 and 1         |

    Tasks are continuous: train and test draw from streams seeded apart, by split and `split_seed`.
    Who knows the task earns horizon * max(probability), on average horizon * num_arms /
    (num_arms + 1): 83.3 by default. A uniform random policy earns horizon / 2.

    Keywords: `num_arms` (5) and `horizon` (100), of which RL² has 5, 10 and 50 arms with 10, 100
    and 500 pulls; `split_seed`.
    """

    pay_range = (0.0, 1.0)

    def __init__(self, *, num_arms: int = 5, horizon: int = 100, split_seed: int = 0) -> None:
        super().__init__(num_arms, horizon, split_seed)
        self.task_space = spaces.Dict({"probability": spaces.Box(0, 1, (num_arms,), np.float32)})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Probabilities [tasks, arms] of a split."""
        stream = self._stream(num_tasks, split, seed)
        chances = torch.rand(num_tasks, self.num_arms, generator=stream)
        return self._tasks(split, {"probability": chances})

    def means(self, task: Task) -> Tensor:
        """The probabilities, [envs, arms]."""
        return task["probability"]

    def pay(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """1 with the arm's probability."""
        return flips(mean, generator)
