"""Tasks on Gymnasium's MuJoCo environments: what the families of meta-reinforcement learning's
control tasks share.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from torch import Tensor

from icrl.errors import ConfigError, TaskError
from icrl.families import Rendered
from icrl.tasks import Tasks
from icrl.wrapped import WrappedFamily
from icrl.wrapped.ids import find_spec, make
from icrl_envs.counts import check_counts
from icrl_envs.extras import require
from icrl_envs.motion import Motion
from icrl_envs.remembered import Remembered
from icrl_envs.streams import task_stream

Task = Mapping[str, np.ndarray]

LATTICE = 2**20
"""Points of a range of tasks, at most."""


class MujocoTasks(WrappedFamily, Rendered):
    """Tasks that change an environment's reward or its physics, and are drawn from a continuum.

    Nothing but the horizon ends an episode. Unless `num_train_tasks` or `num_test_tasks` says how
    many tasks a split has, it has as many as asked for, drawn from a stream of its own.
    """

    simulator: ClassVar[str]
    """Gymnasium's id."""
    simulator_arguments: ClassVar[Mapping[str, Any]] = {}
    measured_body: ClassVar[int | None] = None
    """Whose place tells the speed; None: the first coordinates."""

    def __init__(
        self,
        *,
        horizon: int,
        num_train_tasks: int | None,
        num_test_tasks: int | None,
        split_seed: int,
        trial_episodes: int,
    ) -> None:
        """Make one environment, and read its spaces.

        Raises:
            ConfigError: for numbers out of range.
            MissingPackageError: without MuJoCo.
        """
        self.num_tasks = {"train": num_train_tasks, "test": num_test_tasks}
        sizes = {f"num_{split}_tasks": n for split, n in self.num_tasks.items() if n is not None}
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes, **sizes)
        check_counts(0, split_seed=split_seed)
        require("mujoco", extra="mujoco", what=self.simulator)
        self.trial_episodes = trial_episodes
        self._split_seed = split_seed
        self._spec = find_spec(self.simulator)
        self._horizon = horizon
        self.read_environment()
        self.max_episode_steps = horizon

    @abstractmethod
    def draw(self, num_tasks: int, split: str, generator: torch.Generator) -> dict[str, Tensor]:
        """Tasks [tasks, ...] of a split, all distinct, and none of them in another split."""

    @abstractmethod
    def reward(self, task: Task, motion: Motion) -> float:
        """What a step earns."""

    def put_into(self, simulator: Any, task: Task) -> None:
        """Change the physics of Gymnasium's environment; unless a family does, it stays."""

    def opening_seed(self, task: Task, seed: int | None) -> int | None:
        """What seeds the noise of an episode's opening; None goes on with the generator."""
        return seed

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Tasks [tasks, ...] of a split."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        size = self.num_tasks.get(split)
        if size is None:
            arrays = self.draw(num_tasks, split, task_stream(self._split_seed, split, seed))
        else:
            pool = self.draw(size, split, task_stream(self._split_seed, f"all of {split}", 0))
            order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
            arrays = {name: array[order[:num_tasks]] for name, array in pool.items()}
        return Tasks(self.id, dict(self.arguments), split, arrays)

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A new environment; it plays some task until it is put into another."""
        simulator = make(self._spec, self.simulator_arguments).unwrapped
        first = self.draw(1, "train", torch.Generator().manual_seed(0))
        task = {name: array[0].numpy() for name, array in first.items()}
        env = TaskedSimulator(simulator, self, task, self._horizon)
        return env if render_mode is None else Remembered(env, self)

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Put the simulator into a task, and open an episode."""
        return env.reset(seed=self.opening_seed(task, seed), options={"task": task})[0]


def lattice(
    num_tasks: int, split: str, generator: torch.Generator, *, points: int = LATTICE
) -> Tensor:
    """Distinct points of a lattice, [num_tasks] int64: even ones in train, odd ones in test.

    Raises:
        TaskError: for more than half of the lattice.
    """
    if num_tasks > points // 2:
        raise TaskError(f"{num_tasks} tasks asked for ({split}); a split has {points // 2}.")
    return 2 * torch.randperm(points // 2, generator=generator)[:num_tasks] + (split == "test")


def on_lattice(
    num_tasks: int, split: str, generator: torch.Generator, *, low: float, high: float
) -> Tensor:
    """Distinct numbers of a range, [num_tasks] float32, none of them in another split."""
    points = points_between(low, high)
    share = (lattice(num_tasks, split, generator, points=points) + 0.5) / points
    return (low + (high - low) * share).float()


def points_between(low: float, high: float) -> int:
    """How many points a lattice has in a range: fewer in one so narrow, for how far it is from
    zero, that float32 would not keep them apart.

    Raises:
        ConfigError: if there is not one for each split.
    """
    # Rounding moves each of two neighbours by less than one and a half steps of float32.
    step = 4 * float(np.spacing(np.float32(max(abs(low), abs(high)))))
    points = min(LATTICE, int((high - low) / step) // 2 * 2)
    if points < 2:
        raise ConfigError(
            f"there are no two tasks between {low} and {high}: expected a wider range."
        )
    return points


class TaskedSimulator(gymnasium.Wrapper):
    """A MuJoCo environment whose reward the task decides, and which nothing but time ends."""

    def __init__(self, env: gymnasium.Env, family: MujocoTasks, task: Task, horizon: int) -> None:
        super().__init__(env)
        self._family, self._task, self._horizon = family, task, horizon
        changes_physics = type(family).put_into is not MujocoTasks.put_into
        self._motion = Motion(env, family.measured_body, own_model=changes_physics)
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Open an episode of `options["task"]`, else of the task that was played last."""
        self._task = (options or {}).get("task", self._task)
        self._family.put_into(self.env, self._task)
        self._steps = 0
        return self.env.reset(seed=seed)[0], {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for one step of the task."""
        observation = self._motion.step(action)
        reward = self._family.reward(self._task, self._motion)
        self._steps += 1
        return observation, reward, False, self._steps >= self._horizon, {}
