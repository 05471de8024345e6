"""TrainingView: all that an agent that learns by interaction may see of a family."""

import torch
from torch import Tensor

from icrl.errors import SplitError
from icrl.families import DynamicsView, RewardModel, TaskFamily
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl.vector import TaskVectorEnv

ENDLESS_POOL = 1000
"""How many tasks an agent learns on where a split has as many as are asked for."""


def training_view(family: TaskFamily, num_tasks: int | None, *, seed: int) -> TaskFamily:
    """A family in whose view `train` is the only split, with at most `num_tasks` tasks.

    Args:
        family: the whole family.
        num_tasks: how many tasks the agent may learn on; None: all that there are.
        seed: draws which.
    """
    kind = _KINDS[isinstance(family, RewardModel), isinstance(family, DynamicsView)]
    return kind(family, num_tasks, seed=seed)


def training_pool(family: TaskFamily, *, seed: int) -> Tasks:
    """The training tasks that an agent learns on by interaction: all of a finite split, else
    `ENDLESS_POOL` of them.

    Args:
        family: the agent's view of it.
        seed: draws which, and in which order.
    """
    available = family.num_tasks.get("train")
    count = ENDLESS_POOL if available is None else available
    return family.sample_tasks(count, split="train", seed=seed)


class TrainingView(TaskFamily):
    """A family as an agent sees it that learns on some of its training tasks."""

    splits = ("train",)

    def __init__(self, family: TaskFamily, num_tasks: int | None, *, seed: int) -> None:
        self.id, self.arguments = family.id, family.arguments
        self.observation_space, self.action_space = family.observation_space, family.action_space
        self.max_episode_steps, self.trial_episodes = (
            family.max_episode_steps,
            family.trial_episodes,
        )
        self.reports_success = family.reports_success
        self._family = family
        self._pool: Tasks | None = None
        available = family.num_tasks.get("train")
        if num_tasks is not None:
            count = num_tasks if available is None else min(num_tasks, available)
            self._pool = family.sample_tasks(count, split="train", seed=seed)
        self.num_tasks = {"train": available if self._pool is None else len(self._pool)}

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Draw distinct training tasks.

        Raises:
            SplitError: if another split is asked for.
            TaskError: if there are fewer.
        """
        if split != "train":
            raise SplitError(f"{self.id} shows a learning agent its training tasks, not {split!r}.")
        self.check_num_tasks(num_tasks, split)
        if self._pool is None:
            return self._family.sample_tasks(num_tasks, split=split, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        return self._pool[torch.randperm(len(self._pool), generator=generator)[:num_tasks]]

    def vector_env(
        self,
        tasks: Tasks,
        *,
        num_envs: int | None = None,
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
    ) -> TaskVectorEnv:
        """Environments that play these tasks."""
        return self._family.vector_env(
            tasks, num_envs=num_envs, episodes_per_task=episodes_per_task, device=device
        )

    def optimal_return(self, tasks: Tasks) -> Tensor | None:
        """Unknown to who learns."""
        return None

    def random_return(self, tasks: Tasks) -> Tensor | None:
        """Unknown to who learns."""
        return None


class RewardingTrainingView(TrainingView, RewardModel):
    """The view of a family whose reward a planner may call."""

    def reward_and_termination(
        self, observation: Tree, action: Tree, next_observation: Tree
    ) -> tuple[Tensor, Tensor]:
        """The family's own."""
        assert isinstance(self._family, RewardModel)
        return self._family.reward_and_termination(observation, action, next_observation)


class DynamicsTrainingView(TrainingView, DynamicsView):
    """The view of a family that says what a model of its dynamics is shown."""

    def model_inputs(self, observation: Tensor) -> Tensor:
        """The family's own."""
        assert isinstance(self._family, DynamicsView)
        return self._family.model_inputs(observation)

    def model_targets(self, observation: Tensor, next_observation: Tensor) -> Tensor:
        """The family's own."""
        assert isinstance(self._family, DynamicsView)
        return self._family.model_targets(observation, next_observation)

    def predicted_observation(self, observation: Tensor, target: Tensor) -> Tensor:
        """The family's own."""
        assert isinstance(self._family, DynamicsView)
        return self._family.predicted_observation(observation, target)


class ModelledTrainingView(RewardingTrainingView, DynamicsTrainingView):
    """The view of a family that offers both."""


_KINDS = {  # by whether the family offers its reward, and whether a view for models
    (False, False): TrainingView,
    (True, False): RewardingTrainingView,
    (False, True): DynamicsTrainingView,
    (True, True): ModelledTrainingView,
}
