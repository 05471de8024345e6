"""Point Robot: a point in the plane and a goal that it cannot see, nearer to which it is paid more.

Rakelly et al. 2019, "Efficient Off-Policy Meta-Reinforcement Learning via Probabilistic Context
Variables" (PEARL), arXiv:1903.08254; Wang et al. 2024, "Meta-DT", arXiv:2410.11448.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl_envs.counts import check_counts
from icrl_envs.plane_drawing import plane_picture
from icrl_envs.plane_walks import disc_returns, distance_returns
from icrl_envs.streams import task_stream

Goals: TypeAlias = Literal["square", "unit-square", "half-circle"]

REACH = 0.1
"""How far one step goes along either axis."""


class PointRobot(NativeFamily, Solved):
    """A point in the plane.

    | what        | space                       | meaning                                     |
    |-------------|-----------------------------|---------------------------------------------|
    | observation | Box(-2.1, 2.1, [2])         | where the point is                          |
    | action      | Box(-1, 1, [2])             | ten times the move along x and y; clipped   |
    | reward      | at most 0                   | minus the distance to the goal, once moved  |
    | episode     | 20 steps, truncated         | the goal does not end it                    |
    | task        | goal [2]                    | uniform between -1 and 1, along x and y     |

    Every episode starts at (0, 0). Who knows the goal moves along both axes as fast as it can and
    earns -2.38 on average, a uniform random policy -15.9; of `icrl/PointRobotSparse-v0` 13.38 and
    0.0009.

    What the literature varies, as keywords:

    * `goals`: `"square"`, from -1 to 1 along both axes, as the code of PEARL and Meta-DT has it,
      from which their numbers come; `"unit-square"`, from 0 to 1, as their texts say;
      `"half-circle"`, on the upper half of the unit circle;
    * `goal_radius`: if given, only steps that end within it pay, and those 1 minus the distance
      (PEARL's sparse robot: 0.2 and the half circle);
    * `horizon`: 20;
    * `num_train_tasks`, `num_test_tasks`: None, as many as asked for. Meta-DT has 45 and 5, PEARL
      80 and 20;
    * `split_seed`; `trial_episodes`: how long an evaluation is by default.

    Goals are continuous: train and test draw from streams seeded apart, by split and `split_seed`,
    so that they share none with probability one. A move is at most 0.1 along either axis in every
    version; PEARL and VariBAD let agents act between -1 and 1, as here, Meta-DT between -0.1 and
    0.1. PEARL's dense robot opens anywhere in the square; this one always in its middle, as
    Meta-DT's does.
    """

    action_space = spaces.Box(-1, 1, (2,), np.float32)
    terminates = False

    def __init__(
        self,
        *,
        goals: Goals = "square",
        goal_radius: float | None = None,
        horizon: int = 20,
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 4,
    ) -> None:
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes)
        check_counts(0, split_seed=split_seed)
        if goals not in get_args(Goals):
            raise ConfigError(f"goals={goals!r}: expected one of {', '.join(get_args(Goals))}.")
        if goal_radius is not None and not 0 < goal_radius <= 1:
            raise ConfigError(f"goal_radius={goal_radius}: expected more than 0, at most 1.")
        self._goals, self._radius, self._split_seed = goals, goal_radius, split_seed
        self.max_episode_steps, self.trial_episodes = horizon, trial_episodes
        self._horizon = horizon
        self.num_tasks = {"train": num_train_tasks, "test": num_test_tasks}
        for split, count in self.num_tasks.items():
            if count is not None:
                check_counts(1, **{f"num_{split}_tasks": count})
        # A step more than it can go, since roundings add up.
        farthest = REACH * (horizon + 1)
        self.observation_space = spaces.Box(-farthest, farthest, (2,), np.float32)
        self.task_space = spaces.Dict({"goal": spaces.Box(-1, 1, (2,), np.float32)})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Goals [tasks, 2] of a split."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        size = self.num_tasks[split]
        if size is None:
            goals = self._draw(num_tasks, task_stream(self._split_seed, split, seed))
        else:
            every = self._draw(size, task_stream(self._split_seed, split, 0))
            order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
            goals = every[order[:num_tasks]]
        return Tasks(self.id, dict(self.arguments), split, {"goal": goals})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The point, in the middle."""
        return torch.zeros_like(task["goal"])

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Move, and be paid by the distance that is left."""
        position = state + REACH * action.clamp(-1, 1)
        distance = torch.linalg.vector_norm(position - task["goal"], dim=1)
        return Consequence(position, self._paid(distance))

    def observation(self, state: State, task: Task) -> Tensor:
        """Where the point is."""
        return state.clone()

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The plane, the goal that only the onlooker sees, and the way so far."""
        return plane_picture(task["goal"], self._radius, episode.observation.numpy())

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """Both coordinates approach the goal at full speed, which makes every distance the least
        that can be, [tasks] float32.
        """
        steps = torch.arange(1, self._horizon + 1, device=tasks.arrays["goal"].device)
        left = (tasks.arrays["goal"].double().abs()[:, None] - REACH * steps[:, None]).clamp(min=0)
        return self._paid(torch.linalg.vector_norm(left, dim=-1)).sum(1).float()

    def random_return(self, tasks: Tasks) -> Tensor:
        """By quadrature over where a random walk is after each step, [tasks] float32.

        The error is below 0.001.
        """
        goal = tasks.arrays["goal"].cpu().double()
        earned = (
            -distance_returns(goal, REACH, self._horizon)
            if self._radius is None
            else disc_returns(goal, self._radius, REACH, self._horizon)
        )
        return earned.float().to(tasks.arrays["goal"].device)

    def oracle(self, tasks: Tasks) -> "Homing":
        """Moves towards the goal along both axes, as fast as it can, and stays."""
        return Homing(tasks.arrays["goal"])

    def _paid(self, distance: Tensor) -> Tensor:
        if self._radius is None:
            return -distance
        return torch.where(distance <= self._radius, 1 - distance, 0.0)

    def _draw(self, count: int, stream: torch.Generator) -> Tensor:
        if self._goals == "half-circle":
            angle = torch.pi * torch.rand(count, generator=stream, dtype=torch.float64)
            return torch.stack((angle.cos(), angle.sin()), dim=1).float()
        uniform = torch.rand(count, 2, generator=stream)
        return uniform if self._goals == "unit-square" else 2 * uniform - 1


class Homing(Policy[None]):
    """Moves to the goal of its row as fast as it can along both axes, and stays there."""

    def __init__(self, goal: Tensor) -> None:
        """`goal`: [tasks, 2]; row `i` moves to goal `i`."""
        self._goal = goal

    def initial_context(self, num_envs: int) -> None:
        """It remembers nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """What is left of the way, or as much of it as one step can go."""
        goal = self._goal.to(timestep.observation.device)
        return ((goal - timestep.observation) / REACH).clamp(-1, 1), None
