"""Tasks on Gymnasium's MuJoCo environments: what all control families share."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import Space

from icrl.families import Rendered
from icrl.wrapped import WrappedFamily
from icrl.wrapped.ids import find_spec, make
from icrl_envs.counts import check_counts
from icrl_envs.extras import require
from icrl_envs.motion import Motion
from icrl_envs.remembered import Remembered

Task = Mapping[str, np.ndarray]


class MujocoTasks(WrappedFamily, Rendered):
    """Tasks that change an environment's reward or its physics. Nothing but the horizon ends an
    episode.
    """

    simulator: ClassVar[str]
    """Gymnasium's id."""
    simulator_arguments: ClassVar[Mapping[str, Any]] = {}
    measured_body: ClassVar[int | None] = None
    """Whose place tells the speed; None: the first coordinates."""

    def __init__(self, *, horizon: int, trial_episodes: int) -> None:
        """Make one environment, and read its spaces.

        Raises:
            ConfigError: for numbers out of range.
            MissingPackageError: without MuJoCo.
        """
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes)
        require("mujoco", extra="mujoco", what=self.simulator)
        self.trial_episodes = trial_episodes
        self._spec = find_spec(self.simulator)
        self._horizon = horizon
        self.read_environment()
        self.max_episode_steps = horizon

    @abstractmethod
    def reward(self, task: Task, motion: Motion) -> float:
        """What a step earns."""

    def put_into(self, simulator: Any, task: Task) -> None:
        """Change the physics of Gymnasium's environment; unless a family does, it stays."""

    def opening_seed(self, task: Task, seed: int | None) -> int | None:
        """What seeds the noise of an episode's opening; None goes on with the generator."""
        return seed

    def spaces(self, simulator: Any) -> tuple[Space, Space]:
        """What is observed and how one acts; unless a family differs, Gymnasium's."""
        return simulator.observation_space, simulator.action_space

    def observed(self, motion: Motion) -> np.ndarray:
        """What is observed; unless a family differs, Gymnasium's observation."""
        return motion.seen

    def torques(self, task: Task, action: np.ndarray) -> np.ndarray:
        """What an action does to the joints; unless a family differs, it is that."""
        return action

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A new environment; it plays some task until it is put into another."""
        simulator = make(self._spec, self.simulator_arguments).unwrapped
        task = self.sample_tasks(1, seed=0).row(0)
        env = TaskedSimulator(simulator, self, task, self._horizon)
        return env if render_mode is None else Remembered(env, self)

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Put the simulator into a task, and open an episode."""
        return env.reset(seed=self.opening_seed(task, seed), options={"task": task})[0]


class TaskedSimulator(gymnasium.Wrapper):
    """A MuJoCo environment whose reward the task decides, and which nothing but time ends."""

    def __init__(self, env: gymnasium.Env, family: MujocoTasks, task: Task, horizon: int) -> None:
        super().__init__(env)
        self.observation_space, self.action_space = family.spaces(env)
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
        self._motion.rest(self.env.reset(seed=seed)[0])
        return self._family.observed(self._motion), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for one step of the task."""
        family, motion = self._family, self._motion
        motion.step(family.torques(self._task, action))
        reward = family.reward(self._task, motion)
        self._steps += 1
        return family.observed(motion), reward, False, self._steps >= self._horizon, {}
