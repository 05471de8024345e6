"""NativeEnv: one environment of a native family, for Gymnasium's users."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from icrl.families import Episode
from icrl.native.rehearsal import rehearse
from icrl.seeds import noise_seed
from icrl.single import TaskEnv
from icrl.spaces import stack, unstack
from icrl.tasks import Tasks
from icrl.trees import Tree, map_tree

if TYPE_CHECKING:
    from icrl.native.family import NativeFamily, State


class NativeEnv(TaskEnv):
    """A batch of one row, stepped by the same functions as `NativeVectorEnv`.

    Its noise comes from `generator`; seeded alike, it and a vector environment of one row open
    alike.
    """

    family: "NativeFamily"

    def __init__(
        self,
        family: "NativeFamily",
        *,
        split: str = "train",
        episodes_per_task: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """See `TaskEnv`, and try the family's functions once."""
        super().__init__(
            family, split=split, episodes_per_task=episodes_per_task, render_mode=render_mode
        )
        rehearse(family, family.sample_tasks(1, split=split, seed=0))
        self.generator = torch.Generator()
        self._task: Tasks | None = None
        self._state: State = None
        self._age = 0
        self._observations: list[Tree] = []
        self._actions: list[Tree] = []
        self._rewards: list[Tensor] = []

    def begin(self, task: Tasks, seed: int | None) -> Any:
        """Open an episode."""
        if seed is not None:
            self.generator.manual_seed(noise_seed(seed))
        self._task, self._age = task, 0
        self._state = self.family.initial(task.arrays, self.generator)
        observation = self.family.observation(self._state, task.arrays)
        self._observations, self._actions, self._rewards = [observation], [], []
        return self._value(observation)

    def advance(self, action: Any) -> tuple[Any, float, bool, bool, bool | None]:
        """Step the episode."""
        assert self._task is not None
        batch = stack(self.family.action_space, [action])
        done = self.family.transition(self._state, batch, self._task.arrays, self.generator)
        self._state, self._age = done.state, self._age + 1
        observation = self.family.observation(done.state, self._task.arrays)
        if self.render_mode is not None:
            self._observations.append(observation)
            self._actions.append(batch)
            self._rewards.append(done.reward)
        terminated = done.terminated is not None and bool(done.terminated)
        truncated = self._age == self.family.max_episode_steps and not terminated
        success = None if done.success is None else bool(done.success)
        return self._value(observation), float(done.reward), terminated, truncated, success

    def picture(self) -> np.ndarray:
        """The episode as it stands."""
        assert self._task is not None
        episode = Episode(
            observation=map_tree(_joined, self._observations[0], *self._observations[1:]),
            action=map_tree(_joined, *self._actions) if self._actions else (),
            reward=torch.cat(self._rewards) if self._rewards else torch.zeros(0),
        )
        return self.family.render(self._task.row(0), episode)

    def _value(self, observation: Tree) -> Any:
        return unstack(self.family.observation_space, observation)[0]


def _joined(*tensors: Tensor) -> Tensor:
    return torch.cat(tensors)
