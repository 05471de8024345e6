"""BlankVecEnv: an environment that has spaces and nothing else, for models that only act."""

from typing import Any

from gymnasium import Space
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices


class BlankVecEnv(VecEnv):
    """Spaces, as Stable-Baselines3 takes them to make a model; nothing can be played in it."""

    def __init__(self, observation_space: Space, action_space: Space, num_envs: int = 1) -> None:
        self.render_mode = None
        super().__init__(num_envs, observation_space, action_space)

    def reset(self) -> Any:
        """Nothing to play."""
        raise NotImplementedError("a blank environment cannot be played")

    def step_async(self, actions: Any) -> None:
        """Nothing to play."""
        raise NotImplementedError("a blank environment cannot be played")

    def step_wait(self) -> Any:
        """Nothing to play."""
        raise NotImplementedError("a blank environment cannot be played")

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """One of its own attributes, once for each row."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set one of its own attributes."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **keywords: Any
    ) -> list[Any]:
        """Nothing to call."""
        raise NotImplementedError("a blank environment has no methods")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """It has no wrappers."""
        return [False for _ in self._get_indices(indices)]


def shown_space(observation_space: Space, action_space: Space) -> Space:
    """The observation space that a model is made for: SB3 puts the channels of images first."""
    blank = BlankVecEnv(observation_space, action_space)
    return BaseAlgorithm._wrap_env(blank).observation_space
