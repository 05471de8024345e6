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

from icrl.errors import TaskError
from icrl.families import Episode, Rendered
from icrl.spaces import stack
from icrl.tasks import Tasks
from icrl.wrapped import WrappedFamily
from icrl.wrapped.ids import find_spec, make
from icrl_envs.counts import check_counts
from icrl_envs.extras import require
from icrl_envs.streams import task_stream

Task = Mapping[str, np.ndarray]

LATTICE = 2**20
"""Points of a range of tasks: so many have distinct values in float32."""


class MujocoTasks(WrappedFamily, Rendered):
    """Tasks that change an environment's reward or its physics, and are drawn from a continuum.

    Nothing but the horizon ends an episode. Unless `num_train_tasks` or `num_test_tasks` says how
    many tasks a split has, it has as many as asked for, drawn from a stream of its own.
    """

    simulator: ClassVar[str]
    """Gymnasium's id."""
    simulator_arguments: ClassVar[Mapping[str, Any]] = {}

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
    def reward(self, task: Task, info: Mapping[str, Any]) -> float:
        """What a step earns, of the `info` in which Gymnasium's environment measures it."""

    def put_into(self, simulator: Any, task: Task) -> None:
        """Change the physics of Gymnasium's environment."""

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
        env = make(self._spec, self.simulator_arguments).unwrapped
        first = self.draw(1, "train", torch.Generator().manual_seed(0))
        task = {name: array[0].numpy() for name, array in first.items()}
        return TaskedSimulator(env, self, task, self._horizon, remembers=render_mode is not None)

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Put the simulator into a task, and open an episode."""
        assert isinstance(env, TaskedSimulator)
        self.put_into(env.unwrapped, task)
        env.task = task
        return env.reset(seed=self.opening_seed(task, seed))[0]


def lattice(num_tasks: int, split: str, generator: torch.Generator) -> Tensor:
    """Distinct points of the lattice, [num_tasks] int64: even ones in train, odd ones in test.

    Raises:
        TaskError: for more than half of the lattice.
    """
    if num_tasks > LATTICE // 2:
        raise TaskError(f"{num_tasks} tasks asked for ({split}); a split has {LATTICE // 2}.")
    return 2 * torch.randperm(LATTICE // 2, generator=generator)[:num_tasks] + (split == "test")


class TaskedSimulator(gymnasium.Wrapper):
    """A MuJoCo environment whose reward the task decides, and which nothing but time ends.

    It draws itself by `render` of its family, so no OpenGL is needed.
    """

    def __init__(
        self, env: gymnasium.Env, family: MujocoTasks, task: Task, horizon: int, *, remembers: bool
    ) -> None:
        super().__init__(env)
        self.task = task
        self._family, self._horizon, self._remembers = family, horizon, remembers
        self._steps = 0
        self._seen: list[np.ndarray] = []
        self._actions: list[np.ndarray] = []
        self._rewards: list[float] = []

    def reset(self, **arguments: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Open an episode."""
        observation, _ = self.env.reset(**arguments)
        self._steps = 0
        self._seen, self._actions, self._rewards = [observation], [], []
        return observation, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for one step of the task."""
        observation, _, _, _, info = self.env.step(action)
        reward = float(self._family.reward(self.task, info))
        self._steps += 1
        if self._remembers:
            self._seen.append(observation)
            self._actions.append(action)
            self._rewards.append(reward)
        return observation, reward, False, self._steps >= self._horizon, {}

    def render(self) -> Any:
        """The episode as it stands."""
        observation = stack(self._family.observation_space, self._seen)
        action = stack(self._family.action_space, self._actions) if self._actions else ()
        episode = Episode(observation, action, torch.tensor(self._rewards))
        return self._family.render(self.task, episode)
