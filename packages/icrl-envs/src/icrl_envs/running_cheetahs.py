"""Half-cheetahs that run with other masses and damping, or with a crippled joint.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning" (CaDM), arXiv:2005.06800.
"""

from collections.abc import Sequence

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode
from icrl_envs.control_drawing import after_speed, side_view
from icrl_envs.listed_tasks import ListedTasks
from icrl_envs.mujoco_tasks import Task
from icrl_envs.running_bodies import PlannerReward, SpeedyBodies
from icrl_envs.weighed_bodies import FACTOR, WeighedBodies, both

NUM_JOINTS, NUM_PARTS = 6, 7


def _without(*joints: int) -> tuple[int, ...]:
    """Which joints are crippled, [joints]."""
    return tuple(int(joint in joints) for joint in range(NUM_JOINTS))


class RunningCheetahs(SpeedyBodies):
    """Half-cheetahs that run forwards. Models are shown the pitch as sine and cosine."""

    simulator = "HalfCheetah-v5"
    simulator_arguments = {"reset_noise_scale": 0.001}  # noqa: RUF012 (read only)
    torque_cost = 0.1

    def model_inputs(self, observation: Tensor) -> Tensor:
        """Height, sine and cosine of the pitch, the other angles and velocities, [..., 18]."""
        height, pitch, others = observation[..., 1:].split((1, 1, 15), dim=-1)
        return torch.cat((height, pitch.sin(), pitch.cos(), others), dim=-1)

    def _picture(
        self, episode: Episode, weights: np.ndarray, hidden: Sequence[float]
    ) -> np.ndarray:
        return side_view(
            self.simulator, after_speed(episode), 8, self._horizon, weights=weights, hidden=hidden
        )


class HalfCheetah(WeighedBodies, RunningCheetahs):
    """Run with masses and joint damping that differ from task to task.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [18]         | speed over the last step, then HalfCheetah-v5's height and  |
    |             |                  | angles (8) and velocities (9)                               |
    | action      | Box [6] in ±1    | torques of the joints                                       |
    | reward      | any              | speed - 0.1 * sum of squared actions                        |
    | episode     | 1000 steps       | truncated; nothing ends it                                  |
    | task        | mass             | what all masses are multiplied by                           |
    |             | damping          | what the damping of all joints is multiplied by             |

    | split    | tasks | mass and damping                                          |
    |----------|-------|-----------------------------------------------------------|
    | train    | 25    | .75, .85, 1, 1.15, 1.25 each                              |
    | moderate | 8     | both of .4, .5, or both of 1.5, 1.6                       |
    | extreme  | 8     | both of .2, .3, or both of 1.7, 1.8                       |
    | test     | 16    | moderate and extreme                                      |

    Episodes open nearly still, postures within 0.001 of rest. The reward is a function of the next
    observation and the action. What the optimum earns is unknown; random actions were measured to
    earn -282.

    Keywords: `physics` ("cadm-2020": only masses and damping are written into the simulator, as by
    CaDM's code; "consistent": inertias follow the masses, and MuJoCo works out again what it
    derives from both. These are different bodies), `planner_reward` ("exact"; "cadm-2020": planners
    are paid the speed before a step), `horizon`, `trial_episodes`.
    """

    listed = ListedTasks(
        train=[both(0.75, 0.85, 1.0, 1.15, 1.25)],
        moderate=[both(0.4, 0.5), both(1.5, 1.6)],
        extreme=[both(0.2, 0.3), both(1.7, 1.8)],
    )
    lightest = 0.2
    task_space = spaces.Dict({"mass": FACTOR, "damping": FACTOR})

    def factors(self, task: Task) -> tuple[np.ndarray, float]:
        """One for all parts, one for all joints."""
        return np.full(NUM_PARTS, task["mass"]), float(task["damping"])

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The cheetah, red if heavy and blue if light, its speed over time; mass and damping as
        bars.
        """
        mass, damping = self.shade(task["mass"]), self.shade(task["damping"])
        return self._picture(episode, np.full(NUM_PARTS, mass), (mass, damping))


class CrippledHalfCheetah(RunningCheetahs):
    """Run although a joint does not obey.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [18]         | speed over the last step, then HalfCheetah-v5's height and  |
    |             |                  | angles (8) and velocities (9)                               |
    | action      | Box [6] in ±1    | torques of the joints: hind thigh, shin and foot, then the  |
    |             |                  | fore leg's; that of a crippled joint does nothing           |
    | reward      | any              | speed - 0.1 * sum of squared torques that do something      |
    | episode     | 1000 steps       | truncated; nothing ends it                                  |
    | task        | crippled [6]     | 1 for each joint that does not obey; it swings freely       |

    | split    | tasks | crippled joints                                           |
    |----------|-------|-----------------------------------------------------------|
    | train    | 4     | one of 0, 1, 2, 3                                         |
    | moderate | 2     | 4 or 5                                                    |
    | extreme  | 1     | 4 and 5                                                   |
    | test     | 3     | moderate and extreme                                      |

    Planners cannot know which torques are charged, and so expect that all are, as CaDM's do: the
    reward that they are told is too low by the cost of what a crippled joint was told to do. What
    the optimum earns is unknown; random actions were measured to earn -242.

    Keywords: `planner_reward` ("exact": but for that; "cadm-2020": planners are paid the speed
    before a step), `horizon`, `trial_episodes`.
    """

    listed = ListedTasks(
        dtype=torch.int8,
        train=[{"crippled": [_without(joint) for joint in (0, 1, 2, 3)]}],
        moderate=[{"crippled": [_without(4), _without(5)]}],
        extreme=[{"crippled": [_without(4, 5)]}],
    )
    task_space = spaces.Dict({"crippled": spaces.MultiBinary(NUM_JOINTS)})

    def __init__(
        self,
        *,
        planner_reward: PlannerReward = "exact",
        horizon: int = 1000,
        trial_episodes: int = 1,
    ) -> None:
        super().__init__(
            planner_reward=planner_reward, horizon=horizon, trial_episodes=trial_episodes
        )

    def torques(self, task: Task, action: np.ndarray) -> np.ndarray:
        """None where a joint is crippled."""
        return action * (1 - task["crippled"])

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The cheetah, red where it is crippled, and its speed over time."""
        return self._picture(episode, np.concatenate(((0,), task["crippled"])), ())
