"""RecordedVectorEnv: stands between a learner and its environments, and gives every step to a
recorder.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icrl.errors import ConfigError
from icrl.histories import HistoryRecorder
from icrl.histories.columns import SUCCESS
from icrl.spaces import array_dtype, leaf_spaces
from icrl.trees import Tree, map_tree
from icrl.vector import TaskVectorEnv

Columns = Callable[[], Mapping[str, Tensor]]


class RecordedVectorEnv(TaskVectorEnv):
    """An environment whose every step is recorded, as the environment received and answered it.

    A row is held back until the next one, because two things about it are only known afterwards:
    what the learner says of its action (`note`), and whether it was the last of an episode that a
    learner broke off by a reset, which is recorded as a truncation. Steps beyond what the recorder
    wants are played and not recorded.
    """

    def __init__(self, env: TaskVectorEnv, recorder: HistoryRecorder, columns: Columns) -> None:
        """Record an environment.

        Args:
            env: the environment; its rows are the recorder's streams.
            recorder: takes the steps.
            columns: called before each step: what to record beside it.
        """
        super().__init__(env.family, env.tasks, env.num_envs, env.device)
        self._env = env
        self._recorder = recorder
        self._columns = columns
        self._dtypes = map_tree(array_dtype, leaf_spaces(env.single_action_space))
        self._observation: Tree = None
        self._held: dict[str, Any] | None = None
        self._taken = 0

    @property
    def unwrapped(self) -> TaskVectorEnv:  # type: ignore[override]
        """The environment itself."""
        return self._env.unwrapped

    @property
    def tasks(self) -> Any:
        """The tasks that the rows play now."""
        return self._env.tasks

    @property
    def is_full(self) -> bool:
        """Whether every step that the recorder wants has been taken."""
        return self._taken == self._recorder.steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Open an episode in every row; one that was under way is recorded as truncated."""
        if self._held is not None:
            self._held["truncated"] = self._held["truncated"] | ~self._held["terminated"]
        self._observation, info = self._env.reset(seed=seed, options=options)
        return self._observation, info

    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Step every row, and record it."""
        self._give()
        observation, reward, terminated, truncated, info = self._env.step(actions)
        if not self.is_full:
            self._taken += 1
            self._held = {
                "observation": self._observation,
                "action": map_tree(self._as_tensor, self._dtypes, actions),
                "reward": reward,
                "terminated": terminated,
                "truncated": truncated,
                "outcome": info["final_obs"],
                **({SUCCESS: info[SUCCESS]} if self.family.reports_success else {}),
                **self._columns(),
            }
        self._observation = observation
        return observation, reward, terminated, truncated, info

    def note(self, **columns: Tensor) -> None:
        """Set columns of the last step."""
        if self._held is not None:
            self._held |= columns

    def finish(self) -> None:
        """Give the last step to the recorder.

        Raises:
            ConfigError: if the learner stopped before the history was full.
        """
        self._give()
        if not self.is_full:
            raise ConfigError(
                f"the learner stopped after {self._taken} of {self._recorder.steps} steps; its "
                "settings do not let it go on. Ask for other settings, or for fewer steps."
            )

    def render(self) -> Any:
        """Frames of the environment."""
        return self._env.render()

    def close_extras(self, **_: Any) -> None:
        """Close the environment."""
        self._env.close()

    def _give(self) -> None:
        if self._held is not None:
            self._recorder.step(**self._held)
            self._held = None

    def _as_tensor(self, dtype: np.dtype, action: Any) -> Tensor:
        """A copy of an action as a tensor: what the learner gave may be written to again."""
        if isinstance(action, Tensor):
            return action.clone()
        tensor = torch.from_numpy(np.array(action, dtype))
        return tensor if self.device.type == "cpu" else tensor.to(self.device)
