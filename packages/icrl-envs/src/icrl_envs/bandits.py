"""Bandit: what all bandits share. One pull is a step, and one episode of pulls is a whole trial."""

from abc import abstractmethod
from collections.abc import Callable, Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl.trees import Tree
from icrl_envs.bandit_drawing import bandit_picture
from icrl_envs.counts import check_counts
from icrl_envs.streams import task_stream


class Bandit(NativeFamily, Solved):
    """A machine of `num_arms` arms that is pulled `horizon` times. Abstract.

    Tasks are continuous: each split draws from a stream of its own (see `task_stream`), so that the
    splits are disjoint with probability one.
    """

    terminates = False
    trial_episodes = 1

    pay_range: tuple[float, float]
    """From what to what pictures show pay."""
    steady: bool
    """Whether arms pay alike all the time: then pictures show the mean of what each paid."""

    def __init__(self, num_arms: int, horizon: int, split_seed: int) -> None:
        """Keep the numbers.

        Raises:
            ConfigError: for fewer than two arms, fewer than one pull, or a seed below zero.
        """
        check_counts(2, num_arms=num_arms)
        check_counts(1, horizon=horizon)
        check_counts(0, split_seed=split_seed)
        self.num_arms = num_arms
        self.max_episode_steps: int = horizon
        self.action_space = spaces.Discrete(num_arms)
        self._split_seed = split_seed

    @abstractmethod
    def expected_pay(self, task: Task, observation: Tree) -> Tensor:
        """What each arm would pay on average where this is observed, [envs, arms] float32."""

    def oracle(self, tasks: Tasks) -> "BestArm":
        """Pulls the arm that pays most on average."""
        return BestArm(self.expected_pay, tasks)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """A row for each arm: what it pays (which only the onlooker sees), its pulls, its share."""
        row = {name: torch.as_tensor(array)[None] for name, array in task.items()}
        return bandit_picture(
            self.expected_pay(row, episode.observation[-1:])[0].numpy(),
            np.asarray(episode.action, np.int64).reshape(-1),
            episode.reward.numpy(),
            self.max_episode_steps,
            self.pay_range,
            steady=self.steady,
        )

    def _stream(self, num_tasks: int, split: str, seed: int) -> torch.Generator:
        """What the tasks of a split are drawn from, after the request has been checked."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        return task_stream(self._split_seed, split, seed)

    def _tasks(self, split: str, arrays: Mapping[str, Tensor]) -> Tasks:
        return Tasks(self.id, dict(self.arguments), split, arrays)


class StationaryBandit(Bandit):
    """A bandit whose arms pay alike all the time, and that shows nothing. Abstract."""

    observation_space = spaces.Discrete(1)
    steady = True

    @abstractmethod
    def means(self, task: Task) -> Tensor:
        """What each arm pays on average, [envs, arms] float32: the task itself."""

    @abstractmethod
    def pay(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """What arms pay [envs] float32 whose means are [envs]."""

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """Nothing changes from pull to pull."""
        return ()

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Pull an arm."""
        mean = self.means(task).gather(1, action.unsqueeze(1)).squeeze(1)
        return Consequence(state, self.pay(mean, generator))

    def observation(self, state: State, task: Task) -> Tensor:
        """Always 0."""
        means = self.means(task)
        return torch.zeros(len(means), dtype=torch.int64, device=means.device)

    def expected_pay(self, task: Task, observation: Tree) -> Tensor:
        """The means."""
        return self.means(task)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The best arm, pulled all the time, [tasks] float32."""
        return self.max_episode_steps * self.means(tasks.arrays).amax(-1)

    def random_return(self, tasks: Tasks) -> Tensor:
        """The arms' mean, [tasks] float32."""
        return self.max_episode_steps * self.means(tasks.arrays).mean(-1)


def flips(chance: Tensor, generator: torch.Generator) -> Tensor:
    """1 with a chance, else 0, [envs] float32."""
    draw = torch.rand(chance.shape, generator=generator, device=chance.device)
    return draw.lt_(chance)  # in place: float32 at once, where a comparison would give bool


class BestArm(Policy[None]):
    """Pulls the arm that pays most on average: who knows the tasks needs no context."""

    def __init__(self, expected_pay: Callable[[Task, Tree], Tensor], tasks: Tasks) -> None:
        """`expected_pay`: of tasks and observations, what each arm would pay [envs, arms]."""
        self._expected_pay, self._tasks = expected_pay, tasks

    def initial_context(self, num_envs: int) -> None:
        """It remembers nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """Pull the best arm."""
        task = self._tasks.to(timestep.reward.device).arrays
        return self._expected_pay(task, timestep.observation).argmax(-1), None
