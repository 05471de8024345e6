"""WrappedEnv: one environment of a wrapped family, for Gymnasium's users."""

from typing import TYPE_CHECKING, Any

import numpy as np

from icrl.single import TaskEnv
from icrl.tasks import Tasks

if TYPE_CHECKING:
    from icrl.wrapped.family import WrappedFamily


class WrappedEnv(TaskEnv):
    """A simulator whose resets put it into a task."""

    family: "WrappedFamily"

    def __init__(
        self,
        family: "WrappedFamily",
        *,
        split: str = "train",
        episodes_per_task: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """See `TaskEnv`."""
        super().__init__(
            family, split=split, episodes_per_task=episodes_per_task, render_mode=render_mode
        )
        self._simulator = family.make_env(None if render_mode is None else "rgb_array")

    def begin(self, task: Tasks, seed: int | None) -> Any:
        """Open an episode."""
        return self.family.reset_to(self._simulator, task.row(0), seed)

    def advance(self, action: Any) -> tuple[Any, float, bool, bool, bool | None]:
        """Step the episode."""
        observation, reward, terminated, truncated, info = self._simulator.step(action)
        success = None
        if self.family.reports_success:
            success = bool(info.get("success", info.get("is_success", False)))
        return observation, float(reward), bool(terminated), bool(truncated), success

    def picture(self) -> np.ndarray:
        """The simulator's own picture."""
        return np.asarray(self._simulator.render(), np.uint8)

    def close(self) -> None:
        """Close the simulator and the window."""
        super().close()
        self._simulator.close()
