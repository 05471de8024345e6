"""TaskVecEnv: a TaskVectorEnv as the vector environment that Stable-Baselines3 trains on."""

import time
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from icrl.families import LearnerView
from icrl.sb3.views import ActionView, ObservationView, host_array
from icrl.vector import TaskVectorEnv


class TaskVecEnv(VecEnv):
    """A `TaskVectorEnv` for Stable-Baselines3: NumPy, its spaces as SB3 takes them, SB3's own keys
    in `infos`.

    | key in `infos[i]`      | when      | meaning                                               |
    |------------------------|-----------|-------------------------------------------------------|
    | `TimeLimit.truncated`  | always    | the episode was cut, not terminated                   |
    | `terminal_observation` | at an end | the last observation: the one returned opens the next |
    | `episode`              | at an end | return `r`, length `l`, seconds since the start `t`   |
    | `is_success`           | at an end | whether success was reached in it, if reported        |
    """

    def __init__(self, env: TaskVectorEnv, *, learner_view: bool = False) -> None:
        """Adapt an environment.

        Args:
            env: the environment; `seed(s)` seeds its next reset.
            learner_view: show what the family's `LearnerView` shows, in place of the observation.

        Raises:
            SpaceError: for an action space in which no SB3 algorithm acts.
        """
        self.env = env
        self._learner = env.family if learner_view and isinstance(env.family, LearnerView) else None
        seen = (
            self._learner.learner_observation_space
            if self._learner
            else env.single_observation_space
        )
        self._view, self._act = ObservationView(seen), ActionView(env.single_action_space)
        self.render_mode = getattr(env, "render_mode", None)
        self._actions: Any = None
        self._seed: int | None = None
        self._started = time.monotonic()
        self._returns = np.zeros(env.num_envs)
        self._lengths = np.zeros(env.num_envs, np.int64)
        self._succeeded = np.zeros(env.num_envs, bool)
        super().__init__(env.num_envs, self._view.space, self._act.space)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next reset; one seed serves all rows."""
        self._seed = seed
        return [seed] * self.num_envs

    def reset(self) -> VecEnvObs:
        """Open an episode in every row."""
        observation, _ = self.env.reset(seed=self._seed)
        self._seed = None
        self._returns[:], self._lengths[:], self._succeeded[:] = 0, 0, False
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._view(
            self._learner.learner_observation(self.env.unwrapped) if self._learner else observation
        )

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step every row; the arrays are the caller's own, as SB3 adds to rewards in place."""
        received = self._act.received(np.asarray(self._actions))
        observation, reward, terminated, truncated, info = self.env.step(received)
        if self._learner:
            observation = self._learner.learner_observation(self.env.unwrapped)
        rewards = host_array(reward).copy()
        ended, cut = host_array(terminated), host_array(truncated)
        dones, cut = ended | cut, cut & ~ended
        self._returns += rewards
        self._lengths += 1
        if "success" in info:
            self._succeeded |= host_array(info["success"])
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": c} for c in cut.tolist()]
        if np.count_nonzero(dones):
            self._close_episodes(dones, infos, info)
        return self._view(observation), rewards, dones, infos

    def _close_episodes(
        self, dones: np.ndarray, infos: list[dict[str, Any]], info: dict[str, Any]
    ) -> None:
        outcome = (
            self._learner.learner_outcome(self.env.unwrapped)
            if self._learner
            else info["final_obs"]
        )
        last = self._view.rows(outcome)
        seconds = time.monotonic() - self._started
        for row in np.flatnonzero(dones):
            infos[row]["terminal_observation"] = last[row]
            length, total = int(self._lengths[row]), float(self._returns[row])
            infos[row]["episode"] = {"r": total, "l": length, "t": seconds}
            if "success" in info:
                infos[row]["is_success"] = bool(self._succeeded[row])
        self._returns[dones], self._lengths[dones], self._succeeded[dones] = 0, 0, False

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """A frame of every row."""
        frames: Any = self.env.render()
        return [None] * self.num_envs if frames is None else list(frames)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the environment, once for each row."""
        value = self.render_mode if attr_name == "render_mode" else getattr(self.env, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the environment, which all rows share."""
        setattr(self.env, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the environment, which all rows share; its result once for each row."""
        result = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Whether the rows have a wrapper of Gymnasium's: none has, but episodes are counted as
        `Monitor` does.
        """
        from stable_baselines3.common.monitor import Monitor

        return [wrapper_class is Monitor for _ in self._get_indices(indices)]
