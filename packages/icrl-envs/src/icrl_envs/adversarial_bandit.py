"""Adversarial bandit: good arms hide where training never showed them.

Laskin et al. 2022, "In-context Reinforcement Learning with Algorithm Distillation",
arXiv:2210.14215.
"""

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.native import Task
from icrl.tasks import Tasks
from icrl_envs.bandits import StationaryBandit, flips

USUAL = 0.95
"""The share of tasks whose good arms are where the split usually has them."""


class AdversarialBandit(StationaryBandit):
    """A slot machine whose odd arms are good in training, and whose even arms are good in the test.

    | what        | space              | meaning                                     |
    |-------------|--------------------|---------------------------------------------|
    | observation | Discrete(1)        | nothing: always 0                           |
    | action      | Discrete(num_arms) | the arm that is pulled, counted from 0      |
    | reward      | 0 or 1             | 1 with the arm's probability                |
    | episode     | 100 pulls          | truncated; it is the whole trial            |
    | task        | probability [arms] | good: uniform in [.5, 1], else in [0, .5]   |

    | split   | good arms                                                          |
    |---------|--------------------------------------------------------------------|
    | train   | the odd ones (1, 3, ...) in 95 % of the tasks, else the even ones  |
    | test    | the even ones (0, 2, ...) in 95 % of the tasks, else the odd ones  |
    | uniform | none: every probability is uniform in [0, 1]                       |

    Each split draws from a stream seeded apart, by split and `split_seed`. Who knows the task earns
    91.7 on average (10 arms; uniform: 90.9), a uniform random policy 50.

    The paper leaves the law of the rewards open. Ours is that of the bandits with the same splits
    in Sinii et al. 2023, "In-Context Reinforcement Learning for Variable Action Spaces"
    (arXiv:2312.13327).

    Keywords: `num_arms` (10), `horizon` (100), `split_seed`.
    """

    splits = ("train", "test", "uniform")
    pay_range = (0.0, 1.0)

    def __init__(self, *, num_arms: int = 10, horizon: int = 100, split_seed: int = 0) -> None:
        super().__init__(num_arms, horizon, split_seed)
        self.task_space = spaces.Dict({"probability": spaces.Box(0, 1, (num_arms,), np.float32)})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Probabilities [tasks, arms] of a split."""
        stream = self._stream(num_tasks, split, seed)
        chances = torch.rand(num_tasks, self.num_arms, generator=stream)
        if split != "uniform":
            odd_is_good = torch.rand(num_tasks, 1, generator=stream) < USUAL
            if split == "test":
                odd_is_good = ~odd_is_good
            odd = torch.arange(self.num_arms) % 2 == 1
            chances = (chances + (odd == odd_is_good)) / 2
        return self._tasks(split, {"probability": chances})

    def means(self, task: Task) -> Tensor:
        """The probabilities, [envs, arms]."""
        return task["probability"]

    def pay(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """1 with the arm's probability."""
        return flips(mean, generator)
