"""Flashes: images of which every pixel is known beforehand."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from icrl.testing.counter import Counter, CounterFamily


class Flash(Counter):
    """Counts its steps; shows the step as the brightness of one channel, the task's."""

    observation_space = spaces.Box(0, 255, (37, 41, 3), np.uint8)
    action_space = spaces.Discrete(2)  # type: ignore[assignment]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Count; the reward is the count where the action is 1."""
        observation, reward, *rest = super().step(np.array([action], np.float32))
        return observation, reward * int(action), *rest

    def _observation(self, action: float) -> np.ndarray:
        picture = np.zeros(self.observation_space.shape, np.uint8)
        picture[..., self.task % 3] = 80 * self.at
        return picture


class FlashFamily(CounterFamily):
    """Flashes whose task is a colour."""

    id = "Flash"

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A flash."""
        return Flash(self.length, self.how)
