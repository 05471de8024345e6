"""A humanoid that observes little and runs with other masses and damping.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning" (CaDM), arXiv:2005.06800; its body and reward are those of Wang et al. 2019, "Benchmarking
Model-Based Reinforcement Learning", arXiv:1907.02057.
"""

from typing import Any

import numpy as np
from gymnasium import Space, spaces
from torch import Tensor

from icrl.families import Episode
from icrl_envs.control_drawing import side_view
from icrl_envs.listed_tasks import ListedTasks
from icrl_envs.motion import Motion
from icrl_envs.mujoco_tasks import Task
from icrl_envs.weighed_bodies import FACTOR, WeighedBodies, both

NUM_PARTS, NUM_POSITIONS, NUM_JOINTS = 13, 22, 17
STRONGEST = 0.4
"""What an action of 1 asks of an actuator."""
PAY = 0.25 / 0.015
"""For each m/s."""
TORQUE_COST, ALIVE = 0.1, 5.0
LOWEST, HIGHEST = 1.0, 2.0
"""Heights in metres at which it counts as alive."""


class SlimHumanoid(WeighedBodies):
    """Run on two legs with masses and joint damping that differ from task to task.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [45]         | Humanoid-v5's height, orientation and angles (22) and       |
    |             |                  | velocities (23), no more                                    |
    | action      | Box [17] in ±1   | 0.4 of it is what the actuators get                         |
    | reward      | any              | 16.67 * speed before the step - 0.1 * sum of squared        |
    |             |                  | actuator values, and 5 where it ends between 1 and 2 m high |
    | episode     | 1000 steps       | truncated; a fall does not end it                           |
    | task        | mass             | what all masses are multiplied by                           |
    |             | damping          | what the damping of all joints is multiplied by             |

    | split    | tasks | mass and damping                                          |
    |----------|-------|-----------------------------------------------------------|
    | train    | 25    | .8, .9, 1, 1.15, 1.25 each                                |
    | moderate | 8     | both of .6, .7, or both of 1.5, 1.6                       |
    | extreme  | 8     | both of .4, .5, or both of 1.7, 1.8                       |
    | test     | 16    | moderate and extreme                                      |

    The speed is the root's along x as observed before the step: 0.25 / 0.015 of it is paid, as in
    CaDM's code. So the reward is a function of the observations before and after it and the action.
    What the optimum earns is unknown; random actions were measured to earn -813.

    Keywords: `physics` ("cadm-2020": only masses and damping are written into the simulator, as by
    CaDM's code; "consistent": inertias follow the masses, and MuJoCo works out again what it
    derives from both. These are different bodies), `planner_reward` ("exact"; "cadm-2020": planners
    are charged 0.1 of squared actions, 6.25 times too much, and look for the height among the
    numbers of the orientation, so that they hear nothing of a fall), `horizon`, `trial_episodes`.
    """

    simulator = "Humanoid-v5"
    simulator_arguments = {  # noqa: RUF012 (read only)
        f"include_{what}_in_observation": False
        for what in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    }
    listed = ListedTasks(
        train=[both(0.8, 0.9, 1.0, 1.15, 1.25)],
        moderate=[both(0.6, 0.7), both(1.5, 1.6)],
        extreme=[both(0.4, 0.5), both(1.7, 1.8)],
    )
    lightest = 0.4
    task_space = spaces.Dict({"mass": FACTOR, "damping": FACTOR})

    def factors(self, task: Task) -> tuple[np.ndarray, float]:
        """One for all parts, one for all joints."""
        return np.full(NUM_PARTS, task["mass"]), float(task["damping"])

    def spaces(self, simulator: Any) -> tuple[Space, Space]:
        """What Gymnasium observes; normalised actions."""
        action_space = spaces.Box(-1.0, 1.0, (NUM_JOINTS,), np.float32)
        return simulator.observation_space, action_space

    def torques(self, task: Task, action: np.ndarray) -> np.ndarray:
        """What the actuators get."""
        return STRONGEST * action

    def reward(self, task: Task, motion: Motion) -> float:
        """The speed before the step, less the cost of the torques, and a bonus while it stands."""
        alive = LOWEST <= motion.seen[0] <= HIGHEST
        paid = PAY * float(motion.seen_before[NUM_POSITIONS])
        return paid - TORQUE_COST * motion.effort + ALIVE * alive

    def exact_reward(self, observation: Tensor, action: Tensor, following: Tensor) -> Tensor:
        """What a step earns."""
        height = following[..., 0]
        alive = (height >= LOWEST) & (height <= HIGHEST)
        effort = (STRONGEST * action).square().sum(-1)
        return PAY * observation[..., NUM_POSITIONS] - TORQUE_COST * effort + ALIVE * alive

    def original_reward(self, observation: Tensor, action: Tensor) -> Tensor:
        """Charged by the normalised action; alive by a number of the orientation, at most 1."""
        orientation = observation[..., 1]
        alive = (orientation > LOWEST) & (orientation < HIGHEST)
        effort = action.square().sum(-1)
        return PAY * observation[..., NUM_POSITIONS] - TORQUE_COST * effort + ALIVE * alive

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The humanoid from the side, red if heavy and blue if light, its speed over time; mass and
        damping as bars.
        """
        mass, damping = self.shade(task["mass"]), self.shade(task["damping"])
        return side_view(
            self.simulator,
            episode,
            NUM_POSITIONS,
            self._horizon,
            weights=np.full(NUM_PARTS, mass),
            hidden=(mass, damping),
        )
