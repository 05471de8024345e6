"""An ant that is asked to walk in a direction that it is not told.

Rakelly et al. 2019, "Efficient Off-Policy Meta-Reinforcement Learning via Probabilistic Context
Variables", arXiv:1903.08254; held-out arc of Wang et al. 2024, "Meta-DT", arXiv:2410.11448.
"""

from math import cos, pi, sin

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.families import Episode
from icrl_envs.control_drawing import top_view
from icrl_envs.drawn_tasks import DrawnTasks, on_lattice, points_between
from icrl_envs.motion import Motion
from icrl_envs.mujoco_tasks import Task


class AntDir(DrawnTasks):
    """Walk in a wanted direction.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [27]         | height, orientation and angles (13), velocities (14)        |
    | action      | Box [8] in ±1    | torques of the joints                                       |
    | reward      | any              | speed along the direction + 1 - 0.5 * sum of squared        |
    |             |                  | actions - 0.0005 * sum of squared contact forces (in ±1)    |
    | episode     | 200 steps        | truncated; nothing ends it                                  |
    | task        | angle            | uniform in [0, 2 pi]                                        |

    The environment is Ant-v5 without contact forces in its observation. Its place is not observed,
    nor are the forces, so the reward is no function of observations.

    Angles are drawn from a lattice of 2^20 (of fewer in a narrow arc), of which every other one is
    for tests: splits share none. What the optimum earns is unknown; random actions were measured to
    earn -65.

    Keywords: `held_out_arc` (0: both splits have all directions; otherwise the last so many radians
    are tested alone and never trained: Meta-DT's test out of the distribution is pi / 2),
    `horizon`, `num_train_tasks` and `num_test_tasks` (so many fixed tasks; Meta-DT has 45 and 5),
    `split_seed`, `trial_episodes`.
    """

    simulator = "Ant-v5"
    simulator_arguments = {"include_cfrc_ext_in_observation": False}  # noqa: RUF012 (read only)
    measured_body = 1  # the torso, as Gymnasium measures it
    task_space = spaces.Dict({"angle": spaces.Box(0.0, 2 * pi, (), np.float32)})

    def __init__(
        self,
        *,
        held_out_arc: float = 0.0,
        horizon: int = 200,
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 4,
    ) -> None:
        if not 0 <= held_out_arc < 2 * pi:
            raise ConfigError(
                f"held_out_arc={held_out_arc}: expected radians from 0 to below 2 pi."
            )
        self._border = 2 * pi - held_out_arc
        if held_out_arc > 0:
            points_between(self._border, 2 * pi)
        super().__init__(
            horizon=horizon,
            num_train_tasks=num_train_tasks,
            num_test_tasks=num_test_tasks,
            split_seed=split_seed,
            trial_episodes=trial_episodes,
        )

    def draw(self, num_tasks: int, split: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Angles [tasks]."""
        low, high = 0.0, self._border
        if split == "test" and self._border < 2 * pi:
            low, high = self._border, 2 * pi
        return {"angle": on_lattice(num_tasks, split, generator, low=low, high=high)}

    def reward(self, task: Task, motion: Motion) -> float:
        """Speed along the direction, a bonus, and the costs of torques and contacts."""
        angle = float(task["angle"])
        x, y = motion.velocity
        along = cos(angle) * x + sin(angle) * y
        return along + 1 - 0.5 * motion.effort - 0.0005 * motion.impact()

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The ant and its way from above, the wanted direction, and the speed along it."""
        return top_view(self.simulator, episode, self._horizon, float(task["angle"]))
