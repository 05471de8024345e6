"""Hoppers and walkers whose bodies differ from task to task, in ways that they are not told.

Rothfuss et al. 2018, "ProMP: Proximal Meta-Policy Search", arXiv:1810.06784, and Rakelly et al.
2019, arXiv:1903.08254; horizon and tasks of Wang et al. 2024, "Meta-DT", arXiv:2410.11448.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.families import Episode
from icrl_envs.control_drawing import side_view
from icrl_envs.drawn_tasks import DrawnTasks
from icrl_envs.motion import Motion
from icrl_envs.mujoco_tasks import Task
from icrl_envs.ordinary_body import OrdinaryBody

FACTORS = {"mass": 1.5, "inertia": 1.5, "damping": 1.3, "friction": 1.5}
"""What is multiplied by this base to the power of a uniform number."""
IN_MODEL = {
    "mass": "body_mass",
    "inertia": "body_inertia",
    "damping": "dof_damping",
    "friction": "geom_friction",
}


class ChangedBodies(DrawnTasks):
    """Move forwards with a body whose every part is heavier, slower or more slippery than usual.

    Each number of each part is multiplied by a factor of its own, 1.5^u (damping: 1.3^u) with u
    uniform in ±`spread`; MuJoCo then works out again what it derives from masses (`mj_setConst`),
    so that the changed body is as consistent as one from a file.
    """

    shapes: ClassVar[Mapping[str, tuple[int, ...]]]
    """How many numbers are changed; the floor is a geometry too, the world is no body."""
    num_positions: ClassVar[int]

    def __init__(
        self,
        *,
        spread: float = 3.0,
        horizon: int = 200,
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 4,
    ) -> None:
        if not 0 < spread <= 10:
            raise ConfigError(f"spread={spread}: expected a number above 0, and at most 10.")
        self._spread = spread
        self.task_space = spaces.Dict(
            {
                name: spaces.Box(base**-spread, base**spread, self.shapes[name], np.float32)
                for name, base in FACTORS.items()
            }
        )
        self._ordinary = OrdinaryBody()
        super().__init__(
            horizon=horizon,
            num_train_tasks=num_train_tasks,
            num_test_tasks=num_test_tasks,
            split_seed=split_seed,
            trial_episodes=trial_episodes,
        )

    def draw(self, num_tasks: int, split: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Factors [tasks, ...] of each kind."""
        drawn = {}
        for name, base in FACTORS.items():
            shape = (num_tasks, *self.shapes[name])
            uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
            drawn[name] = (base ** (self._spread * (2 * uniform - 1))).float()
        return drawn

    def put_into(self, simulator: Any, task: Task) -> None:
        """Multiply the ordinary body's numbers."""
        factors = {field: task[name] for name, field in IN_MODEL.items()}
        self._ordinary.change(simulator, factors, consistently=True)

    def reward(self, task: Task, motion: Motion) -> float:
        """Speed and a bonus, less the cost of the torques."""
        return motion.velocity[0] + 1 - 0.001 * motion.effort

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The body, its heavy parts red and its light ones blue, and its speed over time."""
        weights = np.log(task["mass"]) / (self._spread * np.log(FACTORS["mass"]))
        return side_view(
            self.simulator, episode, self.num_positions, self._horizon, weights=weights
        )


class HopperParam(ChangedBodies):
    """Hop forwards with a changed body.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [11]         | height and angles (5), velocities (6) of Hopper-v5          |
    | action      | Box [3] in ±1    | torques of the joints                                       |
    | reward      | any              | speed + 1 - 0.001 * sum of squared actions                  |
    | episode     | 200 steps        | truncated; a fall does not end it, nor stop the bonus       |
    | task        | mass [4]         | factors of the bodies' masses,                              |
    |             | inertia [4, 3]   | of their inertias about three axes,                         |
    |             | damping [6]      | of the joints' damping,                                     |
    |             | friction [5, 3]  | and of the geometries' friction, the floor's included       |

    Each factor is drawn for itself: 1.5^u, damping 1.3^u, with u uniform in [-3, 3]. The place
    along the way is not observed, so the reward is no function of observations.

    Splits are drawn from streams of their own, and share no task with probability one. What the
    optimum earns is unknown; random actions were measured to earn 172.

    Keywords: `spread` (3: the range of u), `horizon`, `num_train_tasks` and `num_test_tasks` (so
    many fixed tasks; Meta-DT has 45 and 5), `split_seed`, `trial_episodes`.
    """

    simulator = "Hopper-v5"
    shapes = {"mass": (4,), "inertia": (4, 3), "damping": (6,), "friction": (5, 3)}  # noqa: RUF012
    num_positions = 5


class WalkerParam(ChangedBodies):
    """Walk forwards with a changed body.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [17]         | height and angles (8), velocities (9) of Walker2d-v5        |
    | action      | Box [6] in ±1    | torques of the joints                                       |
    | reward      | any              | speed + 1 - 0.001 * sum of squared actions                  |
    | episode     | 200 steps        | truncated; a fall does not end it, nor stop the bonus       |
    | task        | mass [7]         | factors of the bodies' masses,                              |
    |             | inertia [7, 3]   | of their inertias about three axes,                         |
    |             | damping [9]      | of the joints' damping,                                     |
    |             | friction [8, 3]  | and of the geometries' friction, the floor's included       |

    Each factor is drawn for itself: 1.5^u, damping 1.3^u, with u uniform in [-3, 3]. The place
    along the way is not observed, so the reward is no function of observations.

    Splits are drawn from streams of their own, and share no task with probability one. What the
    optimum earns is unknown; random actions were measured to earn 207.

    Keywords: `spread` (3: the range of u), `horizon`, `num_train_tasks` and `num_test_tasks` (so
    many fixed tasks; Meta-DT has 45 and 5), `split_seed`, `trial_episodes`.
    """

    simulator = "Walker2d-v5"
    shapes = {"mass": (7,), "inertia": (7, 3), "damping": (9,), "friction": (8, 3)}  # noqa: RUF012
    num_positions = 8
