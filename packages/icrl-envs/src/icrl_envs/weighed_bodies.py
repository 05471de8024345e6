"""Weighed bodies: running bodies whose masses and damping differ from task to task."""

from abc import abstractmethod
from math import log
from typing import Any, ClassVar, Literal

import numpy as np
from gymnasium import spaces

from icrl_envs.listed_tasks import Cell
from icrl_envs.mujoco_tasks import Task
from icrl_envs.ordinary_body import OrdinaryBody
from icrl_envs.running_bodies import PlannerReward, RunningBodies

Physics = Literal["cadm-2020", "consistent"]
"""How a part is made heavier: by its mass alone, as CaDM's code does, or as in a body's file."""

FACTOR = spaces.Box(0.01, np.inf, (), np.float32)
"""What masses or damping are multiplied by."""


class WeighedBodies(RunningBodies):
    """Bodies with other masses and damping.

    `physics="cadm-2020"` writes masses and damping into the simulator, and nothing else;
    `"consistent"` multiplies each part's inertia as its mass, and has MuJoCo work out again what it
    derives from both. These are different bodies.
    """

    lightest: ClassVar[float]
    """The least factor of any split: what is drawn as lightest."""

    def __init__(
        self,
        *,
        physics: Physics = "cadm-2020",
        planner_reward: PlannerReward = "exact",
        horizon: int = 1000,
        trial_episodes: int = 1,
    ) -> None:
        """Take the splits that are listed; see `RunningBodies`."""
        self._consistently = physics == "consistent"
        self._body = OrdinaryBody()
        super().__init__(
            planner_reward=planner_reward, horizon=horizon, trial_episodes=trial_episodes
        )

    @abstractmethod
    def factors(self, task: Task) -> tuple[np.ndarray, float]:
        """What the masses of the last so many parts [parts], and all damping, are multiplied by."""

    def put_into(self, simulator: Any, task: Task) -> None:
        """Change masses and damping, and with `physics="consistent"` what goes with them."""
        mass, damping = self.factors(task)
        changed: dict[str, Any] = {"body_mass": mass, "dof_damping": damping}
        if self._consistently:
            changed["body_inertia"] = mass[:, None]
        self._body.change(simulator, changed, consistently=self._consistently)

    def shade(self, factor: Any) -> Any:
        """How factors are drawn: from -1 (the lightest) over 0 (as usual) upwards."""
        return np.log(factor) / -log(self.lightest)


def both(*factors: float) -> Cell:
    """Masses and damping of these factors, each with each."""
    return {"mass": factors, "damping": factors}
