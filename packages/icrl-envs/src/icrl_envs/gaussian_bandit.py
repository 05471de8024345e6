"""Gaussian bandit: arms that pay around a mean of their own.

Lee et al. 2023, "Supervised Pretraining Can Learn In-Context Reinforcement Learning" (DPT),
arXiv:2306.14892.
"""

import math

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.native import Task
from icrl.tasks import Tasks
from icrl_envs.bandits import StationaryBandit


class GaussianBandit(StationaryBandit):
    """A slot machine whose arms pay around unknown means.

    | what        | space              | meaning                                        |
    |-------------|--------------------|------------------------------------------------|
    | observation | Discrete(1)        | nothing: always 0                              |
    | action      | Discrete(num_arms) | the arm that is pulled                         |
    | reward      | a number           | normal: the arm's mean, standard deviation 0.3 |
    | episode     | 500 pulls          | truncated; it is the whole trial               |
    | task        | mean [arms]        | each uniform between 0 and 1                   |

    Tasks are continuous: train and test draw from streams seeded apart, by split and `split_seed`.
    Who knows the task earns horizon * max(mean), on average 416.7 (5 arms), a uniform random policy
    250.

    DPT's code names its 0.3 a variance and draws with it as a standard deviation: so do we. It
    measures regret in means; our rewards are noisy always.

    Keywords: `num_arms` (5), `horizon` (500), `standard_deviation` (0.3; 0 for no noise),
    `split_seed`.
    """

    def __init__(
        self,
        *,
        num_arms: int = 5,
        horizon: int = 500,
        standard_deviation: float = 0.3,
        split_seed: int = 0,
    ) -> None:
        super().__init__(num_arms, horizon, split_seed)
        if not 0 <= standard_deviation < math.inf:
            raise ConfigError(
                f"standard_deviation={standard_deviation}: expected a finite number, 0 or more."
            )
        self._standard_deviation = standard_deviation
        self.pay_range = (-standard_deviation, 1 + standard_deviation)
        every_mean = spaces.Box(-np.inf, np.inf, (num_arms,), np.float32)
        self.task_space = spaces.Dict({"mean": every_mean})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Means [tasks, arms] of a split."""
        stream = self._stream(num_tasks, split, seed)
        return self._tasks(split, {"mean": torch.rand(num_tasks, self.num_arms, generator=stream)})

    def means(self, task: Task) -> Tensor:
        """The means, [envs, arms]."""
        return task["mean"]

    def pay(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Normal around the arm's mean."""
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return torch.add(mean, noise, alpha=self._standard_deviation)
