"""TaskVectorEnv: many environments of one family, stepped as one batch of torch tensors."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from icrl.tasks import Tasks
from icrl.trees import Tree

if TYPE_CHECKING:
    from icrl.families import TaskFamily


class TaskVectorEnv(VectorEnv):
    """A vector environment whose row `i` plays task `i`; it speaks torch tensors on `device`.

    Autoreset is SAME_STEP. Every `step` and `reset` returns an `info` with

    * `final_obs`: what each row's action led to, for *all* rows: the returned observation, except
      in rows whose episode just ended: there the ended episode's last observation (`_final_obs` is
      the mask of those rows);
    * `success` ([envs] bool, only where the family reports success): whether this transition
      reached it.

    `tasks` are the tasks that the rows play now (they change between episodes only if the
    environment was made with `episodes_per_task`). They are for recorders and plots, never for
    policies.

    Laws (checked by `icrl.testing`): returned tensors are never written to again; a row's future
    depends on its own task, actions and noise only; `reset(seed)` makes all that follows repeat on
    one device; `reset(seed)` changes no fixed task.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (declared so by Gymnasium)
        "autoreset_mode": AutoresetMode.SAME_STEP,
        "torch": True,
    }

    def __init__(
        self, family: "TaskFamily", tasks: Tasks, num_envs: int, device: torch.device
    ) -> None:
        self.family = family
        self.num_envs = num_envs
        self.device = device
        self.single_observation_space = family.observation_space
        self.single_action_space = family.action_space
        self.observation_space = batch_space(family.observation_space, num_envs)
        self.action_space = batch_space(family.action_space, num_envs)
        self._tasks = tasks

    @property
    def tasks(self) -> Tasks:
        """The tasks that the rows play now, [envs]."""
        return self._tasks

    @abstractmethod
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Open an episode in every row; `seed` seeds the noise and the draws of tasks."""

    @abstractmethod
    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Step every row.

        Args:
            actions: a tree of torch or NumPy arrays, [envs, *action].

        Returns:
            observation [envs, *observation], reward [envs] float32, terminated [envs] bool,
            truncated [envs] bool, info.
        """
