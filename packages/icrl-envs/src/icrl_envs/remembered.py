"""Remembered: an environment that keeps its episode, so that its family can draw it."""

from collections.abc import Mapping
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch
from gymnasium import Space

from icrl.families import Episode
from icrl.spaces import stack


class Drawing(Protocol):
    """What remembering needs of a family."""

    observation_space: Space
    action_space: Space

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The picture of an episode."""


class Remembered(gymnasium.Wrapper):
    """An environment that draws itself by `render` of its family: no OpenGL is needed.

    Its resets get the task as `options["task"]`.
    """

    def __init__(self, env: gymnasium.Env, family: Drawing) -> None:
        super().__init__(env)
        self._family = family
        self._task: Mapping[str, np.ndarray] = {}
        self._seen: list[Any] = []
        self._actions: list[Any] = []
        self._rewards: list[float] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Open an episode, and forget the one before."""
        self._task = (options or {}).get("task", self._task)
        observation, info = self.env.reset(seed=seed, options=options)
        self._seen, self._actions, self._rewards = [observation], [], []
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._seen.append(observation)
        self._actions.append(action)
        self._rewards.append(float(reward))
        return observation, reward, terminated, truncated, info

    def render(self) -> Any:
        """The episode as it stands."""
        observation = stack(self._family.observation_space, self._seen)
        action = stack(self._family.action_space, self._actions) if self._actions else ()
        episode = Episode(observation, action, torch.tensor(self._rewards))
        return self._family.render(self._task, episode)
