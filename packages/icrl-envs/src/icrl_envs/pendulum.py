"""Pendulum: swing up a pendulum whose mass and length are not told.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning" (CaDM), arXiv:2005.06800; on Gymnasium's Pendulum-v1.
"""

from collections.abc import Mapping
from math import pi

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, RewardModel
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.tasks import Tasks
from icrl_envs.classic_drawing import pendulum_picture
from icrl_envs.counts import check_counts
from icrl_envs.listed_tasks import ListedTasks
from icrl_envs.random_rollouts import simulated_random_return

GRAVITY, SECONDS = 10.0, 0.05
MAX_TORQUE, MAX_SPEED = 2.0, 8.0
OPENING_ANGLE, OPENING_SPEED = pi / 8, 0.2
"""How far from hanging still an episode may open, in radians and radians a second."""

TRAINED = (0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25)


class Pendulum(NativeFamily, RewardModel):
    """A rod on a hinge, pushed by a motor that is too weak to lift it at once.

    | what        | space                | meaning                                            |
    |-------------|----------------------|----------------------------------------------------|
    | observation | Box [3]              | cosine and sine of the angle (0: upright), speed   |
    | action      | Box [1] in ±2        | the motor's torque in N m; clipped                 |
    | reward      | -16.3 to 0           | -(angle² + 0.1 speed² + 0.001 (torque/2)²)         |
    | episode     | 200 steps, truncated | nothing ends it                                    |
    | task        | mass, length         | in kg and m                                        |

    Episodes open within 22.5° of hanging, at up to 0.2 rad/s. A reward is that of the state that
    was acted on, as Gymnasium pays it, but for the torque, which costs a quarter as much. Speed is
    at most 8 rad/s; where the original moved the angle before that limit was applied, this moves it
    after, as Gymnasium does.

    | split    | mass               | length                | tasks |
    |----------|--------------------|-----------------------|-------|
    | train    | .75 .80 ... 1.25   | .75 .80 ... 1.25      | 121   |
    | moderate | .5 .7 / 1.3 1.5    | 1.3 1.5 / .5 .7       | 8     |
    | extreme  | .2 .4 / 1.6 1.8    | 1.6 1.8 / .2 .4       | 8     |
    | test     | moderate, extreme  |                       | 16    |

    A held-out pendulum is light and long, or heavy and short.

    Keywords: `horizon`; `trial_episodes`: how long an evaluation is by default.

    What the optimum earns is unknown. Who plans with the task's own dynamics (cross-entropy, 30
    steps, 200 candidates) was measured to earn -337 in train, -312 in moderate and -308 in extreme,
    a uniform random policy -1673, -1654 and -1653.
    """

    action_space = spaces.Box(-MAX_TORQUE, MAX_TORQUE, (1,), np.float32)
    terminates = False
    listed = ListedTasks(
        train=[{"mass": TRAINED, "length": TRAINED}],
        moderate=[
            {"mass": (0.5, 0.7), "length": (1.3, 1.5)},
            {"mass": (1.3, 1.5), "length": (0.5, 0.7)},
        ],
        extreme=[
            {"mass": (0.2, 0.4), "length": (1.6, 1.8)},
            {"mass": (1.6, 1.8), "length": (0.2, 0.4)},
        ],
    )
    splits, num_tasks = listed.splits, listed.num_tasks
    task_space = spaces.Dict({name: spaces.Box(0.2, 1.8, ()) for name in ("mass", "length")})

    def __init__(self, *, horizon: int = 200, trial_episodes: int = 1) -> None:
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes)
        self.max_episode_steps, self.trial_episodes = horizon, trial_episodes
        high = np.array([1.0, 1.0, MAX_SPEED], np.float32)
        self.observation_space = spaces.Box(-high, high, dtype=np.float32)

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Masses and lengths [tasks] of a split."""
        return self.listed.sample(self, num_tasks, split=split, seed=seed)

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """Nearly hanging, nearly still."""
        mass = task["mass"]
        drawn = torch.rand((2, *mass.shape), generator=generator, device=mass.device)
        away = 2 * drawn - 1
        return {"angle": upright(pi + OPENING_ANGLE * away[0]), "speed": OPENING_SPEED * away[1]}

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Half an Euler step: the new speed moves the angle."""
        angle, speed = state["angle"], state["speed"]
        torque = action[:, 0].clamp(-MAX_TORQUE, MAX_TORQUE)
        mass, length = task["mass"], task["length"]
        falling = 1.5 * GRAVITY / length * angle.sin()
        after = speed + SECONDS * (falling + 3 / (mass * length.square()) * torque)
        after = after.clamp(-MAX_SPEED, MAX_SPEED)
        moved = {"angle": upright(angle + SECONDS * after), "speed": after}
        return Consequence(moved, paid(angle, speed, torque))

    def observation(self, state: State, task: Task) -> Tensor:
        """Cosine and sine of the angle, and the speed."""
        angle = state["angle"]
        return torch.stack((angle.cos(), angle.sin(), state["speed"]), dim=1)

    def reward_and_termination(
        self, observation: Tensor, action: Tensor, next_observation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The environment's reward; the original's planner has it too, of actions between -1 and 1,
        which it does not halve.
        """
        cosine, sine, speed = observation.unbind(-1)
        torque = action[..., 0].clamp(-MAX_TORQUE, MAX_TORQUE)
        reward = paid(torch.atan2(sine, cosine), speed, torque)
        return reward, torch.zeros_like(reward, dtype=torch.bool)

    def random_return(self, tasks: Tasks) -> Tensor:
        """By simulation, [tasks] float32; the standard error is about 2 of 1670."""
        return simulated_random_return(self, tasks)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The rod as long, the weight as large and the torque as strong as they are."""
        return pendulum_picture(task, episode)


def upright(angle: Tensor) -> Tensor:
    """The same angle between -pi and pi."""
    return torch.remainder(angle + pi, 2 * pi) - pi


def paid(angle: Tensor, speed: Tensor, torque: Tensor) -> Tensor:
    """Reward of an angle from upright (-pi to pi), a speed and a torque, of any shape."""
    return -(angle.square() + 0.1 * speed.square() + 0.001 * (torque / 2).square())
