"""FeatureBandit: arms that pay the product of two vectors, of which one is hidden."""

from abc import abstractmethod

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.native import Consequence, State, Task
from icrl.tasks import Tasks
from icrl_envs.bandits import Bandit
from icrl_envs.counts import check_counts

FAR = 10.0
"""Beyond any normal number that is drawn as float32: the bound of a Box, as Gymnasium wants one."""


class FeatureBandit(Bandit):
    """A bandit that pays the product of what it shows and of what it hides, and noise. Abstract.

    Both are normal, of variance 1 / num_features each. What is hidden is the task; what is shown
    changes at each pull.
    """

    pay_range = (-2.0, 2.0)
    steady = False

    hidden: str
    """The name of the tasks' array."""

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
        self.scale = num_features**-0.5
        self._shown, self._hidden = self.shapes()
        self.observation_space = spaces.Box(-FAR, FAR, self._shown, np.float32)
        everything = spaces.Box(-np.inf, np.inf, self._hidden, np.float32)
        self.task_space = spaces.Dict({self.hidden: everything})

    @abstractmethod
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of what is shown and of what is hidden."""

    @abstractmethod
    def expected_of(self, state: State, arm: Tensor, task: Task) -> Tensor:
        """What arms [envs] pay on average where `state` is shown, [envs] float32."""

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """What is hidden, [tasks, *hidden], of a split."""
        stream = self._stream(num_tasks, split, seed)
        drawn = torch.randn(num_tasks, *self._hidden, generator=stream)
        return self._tasks(split, {self.hidden: drawn * self.scale})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """What is shown, [envs, *shown]."""
        hidden = task[self.hidden]
        shape = (len(hidden), *self._shown)
        return torch.randn(shape, generator=generator, device=hidden.device).mul_(self.scale)

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Pull an arm; something else is shown."""
        noise = torch.randn(action.shape, generator=generator, device=action.device)
        reward = noise.add_(self.expected_of(state, action, task))
        return Consequence(self.initial(task, generator), reward)

    def observation(self, state: State, task: Task) -> Tensor:
        """What is shown."""
        return state.clone()

    def random_return(self, tasks: Tasks) -> Tensor:
        """0, since what is shown has mean 0, [tasks] float32."""
        hidden = tasks.arrays[self.hidden]
        return torch.zeros(len(hidden), device=hidden.device)
