"""Motion: a step of a body in MuJoCo, and what rewards are made of.

Gymnasium's own `step` measures more than that, in Python and for every body, which takes time at
each step.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


class Motion:
    """A body of Gymnasium's, stepped as Gymnasium does."""

    velocity: tuple[float, float]
    """Along the first two axes in m/s, over the last step."""
    effort: float
    """The sum of the squared torques of the last step."""
    seen: np.ndarray
    """Gymnasium's observation now."""
    seen_before: np.ndarray
    """And before the last step."""

    def __init__(self, simulator: Any, body: int | None, *, own_model: bool) -> None:
        """Look up what every step needs.

        Args:
            simulator: Gymnasium's environment, unwrapped.
            body: the one whose place is measured; None: the first two coordinates.
            own_model: whether the physics may differ from that of others of its kind; where it does
                not, all share one model, which then stays in the processor's cache.
        """
        import mujoco

        self._model = simulator.model if own_model else _shared_model(simulator.fullpath)
        self._data = simulator.data
        self._place = self._data.qpos if body is None else self._data.xpos[body]
        self._torques = self._data.ctrl
        self._frames, self._seconds = simulator.frame_skip, float(simulator.dt)
        self._step, self._work_out_forces = mujoco.mj_step, mujoco.mj_rnePostConstraint
        self._observe: Callable[[], np.ndarray] = simulator._get_obs

    def rest(self, seen: np.ndarray) -> None:
        """Begin an episode with Gymnasium's observation of its opening."""
        self.seen = self.seen_before = seen
        self.velocity, self.effort = (0.0, 0.0), 0.0

    def step(self, torques: np.ndarray) -> None:
        """Apply torques for one step, and observe as Gymnasium's environment does."""
        place = self._place
        x, y = float(place[0]), float(place[1])
        self._torques[:] = torques
        self._step(self._model, self._data, self._frames)
        self.velocity = (float(place[0]) - x) / self._seconds, (float(place[1]) - y) / self._seconds
        self.effort = float(torques @ torques)
        self.seen_before, self.seen = self.seen, self._observe()

    def impact(self) -> float:
        """The sum of the squared contact forces, each limited to ±1."""
        self._work_out_forces(self._model, self._data)
        return float(np.square(np.clip(self._data.cfrc_ext, -1, 1)).sum())


@cache
def _shared_model(path: str) -> Any:
    import mujoco

    return mujoco.MjModel.from_xml_path(path)
