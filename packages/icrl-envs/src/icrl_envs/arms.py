"""Arms: Meta-World's robot in one task after another."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from icrl.wrapped.quiet import quieten_simulators

HORIZON = 500
"""Steps after which Meta-World's environments want to be reset."""
SEEN = 39
"""Numbers of an observation."""


class Arm(gymnasium.Env):
    """The arm in the environment and with the goal of its task, which it does not see."""

    observation_space = spaces.Box(-np.inf, np.inf, (SEEN,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)

    def __init__(self, names: Sequence[str], horizon: int) -> None:
        self._names, self._horizon = names, horizon
        self._playing = (0, 0)
        self._arm = hidden(names[0], 0)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Open an episode of `options["task"]`, else of the task that was played last."""
        if options is not None:
            self._put_into(options["task"])
        self._steps = 0
        return self._arm.reset()[0].astype(np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for one step of the task."""
        observation, reward, _, _, info = self._arm.step(action)
        self._steps += 1
        ended = self._steps >= self._horizon
        success = {"success": bool(info["success"])}
        return observation.astype(np.float32), float(reward), False, ended, success

    def close(self) -> None:
        """Close the simulator."""
        self._arm.close()

    def _put_into(self, task: Mapping[str, np.ndarray]) -> None:
        wanted = int(task["environment"]), int(task["seed"])
        if wanted != self._playing:
            self._arm.close()
            self._arm = hidden(self._names[wanted[0]], wanted[1])
            self._playing = wanted


def hidden(name: str, seed: int) -> Any:
    """An environment whose places are drawn from `seed`, and whose goal is not observed."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_HIDDEN

    quieten_simulators()
    return ALL_V3_ENVIRONMENTS_GOAL_HIDDEN[f"{name}-goal-hidden"](seed=seed)


@lru_cache(maxsize=64)
def goal_of(name: str, seed: int) -> np.ndarray:
    """Where the goal of a task is, [3] in metres: what the environment that shows it observes."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE

    quieten_simulators()
    env = ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{name}-goal-observable"](seed=seed)
    try:
        return env.reset()[0][-3:]
    finally:
        env.close()
