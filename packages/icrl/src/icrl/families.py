"""TaskFamily: a distribution over tasks with the same spaces; its optional interfaces."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from icrl.errors import SplitError, TaskError
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl.vector import TaskVectorEnv

if TYPE_CHECKING:
    from icrl.policy import Policy


class TaskFamily(ABC):
    """A distribution over tasks; what one Gymnasium id names.

    A family is made by `icrl.make_family(id, **arguments)`, which sets `id` and `arguments` after
    the constructor has checked the arguments. Its partition into splits is its own (keyword
    `split_seed` where tasks are drawn); the `seed` of `sample_tasks` only picks from it.
    """

    id: str = ""
    """The id under which the family was made, `icrl/DarkRoom-v0`."""
    arguments: Mapping[str, Any] = {}
    """The keyword arguments it was made with (plain JSON data)."""

    observation_space: Space
    """Of one environment."""
    action_space: Space
    """Of one environment."""
    max_episode_steps: int | None
    """The horizon after which an episode is truncated; None if the family never truncates."""
    trial_episodes: int
    """How many episodes a trial has in the literature: the default of an evaluation."""
    splits: tuple[str, ...] = ("train", "test")
    """Names of the splits; at least train and test. No other split has a training task."""
    num_tasks: Mapping[str, int | None] = {}
    """How many distinct tasks each split has; None (or absent): as many as asked for."""
    reports_success: bool = False
    """Whether `info["success"]` is there."""

    @abstractmethod
    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Draw distinct tasks of a split; the same seed draws the same tasks.

        Raises:
            SplitError: if the family has no such split.
            TaskError: if the split has fewer distinct tasks.
        """

    @abstractmethod
    def vector_env(
        self,
        tasks: Tasks,
        *,
        num_envs: int | None = None,
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
    ) -> TaskVectorEnv:
        """Environments that play these tasks.

        Args:
            tasks: the tasks. Without `episodes_per_task`, row `i` plays task `i % len(tasks)` for
                as long as it lives.
            num_envs: rows; default one per task.
            episodes_per_task: if given, each row draws a new task from `tasks` after so many
                episodes, with the environment's own generator.
            device: where the tensors live.

        Raises:
            TaskError: if the tasks are another family's.
        """

    def optimal_return(self, tasks: Tasks) -> Tensor | None:
        """What the best policy that knows the task earns in an episode on average, [tasks] float32.

        None if that is unknown.
        """
        return None

    def random_return(self, tasks: Tasks) -> Tensor | None:
        """What uniformly random actions earn in one episode on average, [tasks] float32.

        None if that is unknown.
        """
        return None

    def check_split(self, split: str) -> None:
        """Refuse a split that the family does not have."""
        if split not in self.splits:
            raise SplitError(f"{self.id} has no split {split!r}. It has: {', '.join(self.splits)}.")

    def check_tasks(self, tasks: Tasks) -> None:
        """Refuse tasks of another family, or of this family with other arguments."""
        if (tasks.family, dict(tasks.arguments)) != (self.id, dict(self.arguments)):
            raise TaskError(
                f"these tasks belong to {tasks.family} {dict(tasks.arguments)}, not to {self.id} "
                f"{dict(self.arguments)}. Draw them with this family's sample_tasks."
            )

    def check_num_tasks(self, num_tasks: int, split: str) -> None:
        """Refuse fewer than one task, fractions of one, and more than a finite split has."""
        if not hasattr(num_tasks, "__index__") or num_tasks < 1:
            raise TaskError(
                f"{num_tasks} tasks asked of {self.id} ({split}): expected a whole number, 1 or "
                "more."
            )
        available = self.num_tasks.get(split)
        if available is not None and num_tasks > available:
            raise TaskError(
                f"{num_tasks} tasks asked of {self.id} ({split}); it has {available} distinct "
                "tasks."
            )


class Solved(ABC):
    """A family whose optimal policy is known."""

    @abstractmethod
    def oracle(self, tasks: Tasks) -> "Policy":
        """The policy that knows the tasks, for comparison: row `i` acts optimally in task `i`."""


class RewardModel(ABC):
    """A family whose reward and termination are functions that a planner may call."""

    @abstractmethod
    def reward_and_termination(
        self, observation: Tree, action: Tree, next_observation: Tree
    ) -> tuple[Tensor, Tensor]:
        """Reward [batch] float32 and termination [batch] bool of transitions, as the environment's.

        `batch` stands for any leading axes. Actions beyond the bounds of a Box count as the
        environment counts them.
        """


class DynamicsView(ABC):
    """A family that says what a model of its dynamics is best shown, and what it should predict.

    Without it a model is shown the observation and predicts how it changes. Observations are
    vectors, [..., numbers] float32 with any leading axes; `...` is the same in and out. These are
    the pre-, target and post-processing of PETS (Chua et al. 2018, arXiv:1805.12114) and CaDM.
    """

    @abstractmethod
    def model_inputs(self, observation: Tensor) -> Tensor:
        """What a model is shown of observations, [..., inputs]: angles as sine and cosine, say."""

    @abstractmethod
    def model_targets(self, observation: Tensor, next_observation: Tensor) -> Tensor:
        """What it is to predict of a transition, [..., numbers]: as many as are observed."""

    @abstractmethod
    def predicted_observation(self, observation: Tensor, target: Tensor) -> Tensor:
        """The next observation, [..., numbers], that such a prediction stands for: the inverse of
        `model_targets`.
        """


class LearnerView(ABC):
    """A family whose *sources* may see more than the observation; the rest is never recorded.

    Key-to-Door hides whether the key is held, without which tabular Q-learning cannot solve it.
    """

    learner_observation_space: Space

    @abstractmethod
    def learner_observation(self, env: TaskVectorEnv) -> Tree:
        """What a source's learner sees now in each row of an environment, [envs, ...]."""

    @abstractmethod
    def learner_outcome(self, env: TaskVectorEnv) -> Tree:
        """What it sees of what the last action led to, [envs, ...].

        That is `learner_observation`, except in rows whose episode the last step ended: there the
        view of the ended episode's last state, from which a truncated episode is bootstrapped.
        """


class Playable(ABC):
    """A family that also plays one task at a time, as a single Gymnasium environment."""

    task_space: gymnasium.spaces.Dict
    """One task: what `options={"task": ...}` may hold, and what `info["task"]` shows."""

    @abstractmethod
    def single_env(
        self,
        *,
        split: str = "train",
        episodes_per_task: int | None = None,
        render_mode: str | None = None,
    ) -> gymnasium.Env:
        """An environment with the three resets of `icrl.single.TaskEnv`, from which it inherits."""


@dataclass(frozen=True)
class Episode:
    """One episode, from its opening so far, as it was recorded."""

    observation: Tree
    """[time + 1, *observation]: the opening, then what each action led to (the *outcome*)."""
    action: Tree
    """[time, *action]."""
    reward: Tensor
    """[time] float32."""


class Rendered(ABC):
    """A family that draws episodes for an onlooker, who sees the task too."""

    @abstractmethod
    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The picture of an episode where it stands, [height, width, 3] uint8.

        `task` is one row of `Tasks`, as `tasks.row(i)` and `info["task"]` give it. The picture
        depends on nothing else, so that a recorded episode can be drawn.
        """
