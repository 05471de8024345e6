"""An ant whose left legs are light and whose right legs are heavy.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning" (CaDM), arXiv:2005.06800.
"""

import numpy as np
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode
from icrl_envs.control_drawing import after_speed, top_view
from icrl_envs.listed_tasks import ListedTasks
from icrl_envs.mujoco_tasks import Task
from icrl_envs.running_bodies import SpeedyBodies
from icrl_envs.weighed_bodies import FACTOR, WeighedBodies

PARTS = 6
"""Bodies of two legs."""


class Ant(WeighedBodies, SpeedyBodies):
    """Walk forwards on legs of unequal mass.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [28]         | speed over the last step, then Ant-v5's height, orientation |
    |             |                  | and angles (13) and velocities (14)                         |
    | action      | Box [8] in ±1    | torques of the joints                                       |
    | reward      | any              | speed + 0.05 - 0.005 * sum of squared actions               |
    | episode     | 1000 steps       | truncated; nothing ends it                                  |
    | task        | mass             | the left legs' masses are multiplied by it, the right legs' |
    |             |                  | divided by it                                               |

    | split    | tasks | mass                                                      |
    |----------|-------|-----------------------------------------------------------|
    | train    | 4     | .85, .9, .95, 1                                           |
    | moderate | 5     | .4, .45, .5, .55, .6                                      |
    | extreme  | 5     | .2, .25, .3, .35, .4                                      |
    | test     | 9     | moderate and extreme, which both have .4                  |

    The speed is the torso's along x. The left legs are those to the left of that way as the ant
    opens; its file calls them front legs, and the right ones hind legs. The reward is a function of
    the next observation and the action. What the optimum earns is unknown; random actions were
    measured to earn 28.

    Keywords: `physics` ("cadm-2020": only masses are written into the simulator, as by CaDM's code;
    "consistent": inertias follow the masses, and MuJoCo works out again what it derives from both.
    These are different bodies), `planner_reward` ("exact"; "cadm-2020": planners are paid the speed
    before a step), `horizon`, `trial_episodes`.
    """

    simulator = "Ant-v5"
    simulator_arguments = {"include_cfrc_ext_in_observation": False}  # noqa: RUF012 (read only)
    measured_body = 1  # the torso
    torque_cost, bonus = 0.005, 0.05
    listed = ListedTasks(
        train=[{"mass": (0.85, 0.9, 0.95, 1.0)}],
        moderate=[{"mass": (0.4, 0.45, 0.5, 0.55, 0.6)}],
        extreme=[{"mass": (0.2, 0.25, 0.3, 0.35, 0.4)}],
    )
    lightest = 0.2
    task_space = spaces.Dict({"mass": FACTOR})

    def factors(self, task: Task) -> tuple[np.ndarray, float]:
        """Of the left legs' parts, then of the right legs'; the torso's mass and damping stay."""
        mass = float(task["mass"])
        return np.repeat((mass, 1 / mass), PARTS), 1.0

    def model_inputs(self, observation: Tensor) -> Tensor:
        """All but the speed, [..., 27]."""
        return observation[..., 1:]

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The ant and its way from above, light legs blue and heavy ones red."""
        weights = np.concatenate(((0,), self.shade(self.factors(task)[0])))
        return top_view(self.simulator, after_speed(episode), self._horizon, 0.0, weights=weights)
