"""DrawnVectorEnv: a vector environment that draws its own tasks, for those who bring none."""

from typing import Any

import torch
from gymnasium.envs.registration import EnvSpec
from torch import Tensor

from icrl.errors import TaskError
from icrl.families import TaskFamily
from icrl.seeds import ROW_TASKS, derived_seed
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl.vector import TaskVectorEnv

POOL = 1024
"""Tasks that `episodes_per_task` draws from in a split without end, if there are no more rows than
that.
"""


class DrawnVectorEnv(TaskVectorEnv):
    """What `gymnasium.make_vec` gives: rows play tasks of a split, drawn with replacement at
    `reset(seed=...)`.

    A reset without a seed opens another episode of the same tasks (the first one draws them). With
    `episodes_per_task`, rows redraw from the whole split, or from so many tasks of a split without
    end.
    """

    def __init__(
        self,
        family: TaskFamily,
        num_envs: int,
        *,
        split: str = "train",
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Make the environment, with tasks that no seed fixes.

        Raises:
            SplitError: if the family has no such split.
            TaskError: for counts below one.
            DeviceError: for a device that is not there.
        """
        family.check_split(split)
        if num_envs < 1:
            raise TaskError(f"num_envs={num_envs}: expected 1 or more.")
        self._split = split
        self._episodes_per_task = episodes_per_task
        tasks = self._draw(family, num_envs, torch.Generator().seed() % 2**31)
        self._env: TaskVectorEnv = family.vector_env(
            tasks, num_envs=num_envs, episodes_per_task=episodes_per_task, device=device
        )
        super().__init__(family, self._env.tasks, num_envs, self._env.device)

    @property
    def unwrapped(self) -> TaskVectorEnv:  # type: ignore[override]
        """The environment that is played; a seed makes another one."""
        return self._env.unwrapped

    @property
    def spec(self) -> EnvSpec | None:
        """What Gymnasium made it from."""
        return self._env.unwrapped.spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._env.unwrapped.spec = spec

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Open an episode in every row; a seed draws the tasks anew."""
        if seed is not None:
            tasks = self._draw(self.family, self.num_envs, seed)
            self._env.close()
            spec = self.spec
            self._env = self.family.vector_env(
                tasks,
                num_envs=self.num_envs,
                episodes_per_task=self._episodes_per_task,
                device=self.device,
            )
            self.spec = spec
        result = self._env.reset(seed=seed, options=options)
        self._tasks = self._env.tasks
        return result

    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Step every row."""
        result = self._env.step(actions)
        self._tasks = self._env.tasks
        return result

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environment that is played."""
        self._env.close()

    def _draw(self, family: TaskFamily, num_envs: int, seed: int) -> Tasks:
        """The tasks to play: one for each row, or with `episodes_per_task` those to draw from."""
        available = family.num_tasks.get(self._split)
        if self._episodes_per_task is not None:
            count = available or max(num_envs, POOL)
            return family.sample_tasks(count, split=self._split, seed=seed)
        if available is None:
            return family.sample_tasks(num_envs, split=self._split, seed=seed)
        every = family.sample_tasks(available, split=self._split, seed=seed)
        generator = torch.Generator().manual_seed(derived_seed(seed, ROW_TASKS))
        return every[torch.randint(available, (num_envs,), generator=generator)]
