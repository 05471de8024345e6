"""Half-cheetahs that are asked to run at a speed, or in a direction, that they are not told.

Finn et al. 2017, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks",
arXiv:1703.03400; ranges and horizon of Wang et al. 2024, "Meta-DT", arXiv:2410.11448.
"""

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.families import Episode
from icrl_envs.control_drawing import side_view
from icrl_envs.drawn_tasks import LATTICE, DrawnTasks, lattice, on_lattice, points_between
from icrl_envs.motion import Motion
from icrl_envs.mujoco_tasks import Task

NUM_POSITIONS = 8
"""Numbers of an observation before the velocities; the first of these is the body's along x."""
TORQUE_COST = 0.05


class HalfCheetahVel(DrawnTasks):
    """Run at a wanted speed.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [17]         | height and angles (8), velocities (9) of HalfCheetah-v5     |
    | action      | Box [6] in ±1    | torques of the joints                                       |
    | reward      | at most 0        | -abs(speed - velocity) - 0.05 * sum of squared actions      |
    | episode     | 200 steps        | truncated; nothing ends it                                  |
    | task        | velocity         | uniform in [0.075, 3.0] m/s                                 |

    The speed is the way that the body makes in a step, divided by the step's 0.05 s; the place
    along the way is not observed, so the reward is no function of observations. Codes from the
    days of mujoco-py observe 20 numbers, the body's centre of mass too: returns differ.

    Velocities are drawn from a lattice of 2^20 (of fewer in a range so narrow that float32 would
    not keep them apart), of which every other one is for tests: splits share none. What the optimum
    earns is unknown; random actions were measured to earn -348.

    Keywords: `velocities` (the range), `horizon`, `num_train_tasks` and `num_test_tasks` (so many
    fixed tasks; Meta-DT has 45 and 5), `split_seed`, `trial_episodes`.
    """

    simulator = "HalfCheetah-v5"

    def __init__(
        self,
        *,
        velocities: tuple[float, float] = (0.075, 3.0),
        horizon: int = 200,
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 4,
    ) -> None:
        if len(velocities) != 2 or not velocities[0] < velocities[1]:
            raise ConfigError(f"velocities={velocities}: expected a lower and a higher speed.")
        self._low, self._high = map(float, velocities)
        points_between(self._low, self._high)
        self.task_space = spaces.Dict(
            {"velocity": spaces.Box(self._low, self._high, (), np.float32)}
        )
        super().__init__(
            horizon=horizon,
            num_train_tasks=num_train_tasks,
            num_test_tasks=num_test_tasks,
            split_seed=split_seed,
            trial_episodes=trial_episodes,
        )

    def draw(self, num_tasks: int, split: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Velocities [tasks]."""
        return {"velocity": on_lattice(num_tasks, split, generator, low=self._low, high=self._high)}

    def reward(self, task: Task, motion: Motion) -> float:
        """Nearness to the wanted speed, less the cost of the torques."""
        return -abs(motion.velocity[0] - float(task["velocity"])) - TORQUE_COST * motion.effort

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The cheetah, and its speed over time beside the wanted one."""
        wanted = float(task["velocity"])
        return side_view(self.simulator, episode, NUM_POSITIONS, self._horizon, wanted=wanted)


class HalfCheetahDir(DrawnTasks):
    """Run forwards or backwards.

    | what        | space            | meaning                                                     |
    |-------------|------------------|-------------------------------------------------------------|
    | observation | Box [17]         | height and angles (8), velocities (9) of HalfCheetah-v5     |
    | action      | Box [6] in ±1    | torques of the joints                                       |
    | reward      | any              | ±speed - 0.05 * sum of squared actions                      |
    | episode     | 200 steps        | truncated; nothing ends it                                  |
    | task        | forward          | 1 or 0: half of the tasks each                              |
    |             | seed             | mixed into the seed of the postures that episodes open with |

    There are but two directions, and the literature trains and tests on both. So do we: *splits
    are disjoint by seed only*, even ones train and odd ones test. A test measures whether the
    direction is found out, not whether a new one is. Tasks that are drawn together alternate
    between the directions (those of a fixed number of tasks are shuffled). Speed and observation
    are as in `HalfCheetahVel`. What the optimum earns is unknown; random actions were measured to
    earn -20.

    Keywords: `horizon`, `num_train_tasks`, `num_test_tasks`, `split_seed`, `trial_episodes`.
    """

    simulator = "HalfCheetah-v5"
    task_space = spaces.Dict({"forward": spaces.Discrete(2), "seed": spaces.Discrete(LATTICE)})

    def __init__(
        self,
        *,
        horizon: int = 200,
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 4,
    ) -> None:
        super().__init__(
            horizon=horizon,
            num_train_tasks=num_train_tasks,
            num_test_tasks=num_test_tasks,
            split_seed=split_seed,
            trial_episodes=trial_episodes,
        )

    def draw(self, num_tasks: int, split: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Directions [tasks] in turn, the first one by chance; distinct seeds [tasks]."""
        first = torch.randint(2, (1,), generator=generator)
        return {
            "forward": (torch.arange(num_tasks) + first) % 2,
            "seed": lattice(num_tasks, split, generator),
        }

    def opening_seed(self, task: Task, seed: int | None) -> int | None:
        """The task's seed and the noise's together."""
        if seed is None:
            return None
        mixed = np.random.SeedSequence([int(task["seed"]), seed])
        return int(mixed.generate_state(1)[0])

    def reward(self, task: Task, motion: Motion) -> float:
        """Speed in the wanted direction, less the cost of the torques."""
        speed = motion.velocity[0]
        return (speed if task["forward"] else -speed) - TORQUE_COST * motion.effort

    def render(self, task: Task, episode: Episode) -> np.ndarray:
        """The cheetah, and its speed over time; the wanted side of zero is lit."""
        side = 1 if task["forward"] else -1
        return side_view(self.simulator, episode, NUM_POSITIONS, self._horizon, side=side)
