"""Cabinet: one game to be played alone, in any of its levels."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from icrl_envs.procgen.games import ACTIONS, SIDE, Difficulty
from icrl_envs.procgen.simulators import Shelf, Simulator

ZOOM = 6
"""A picture shows a pixel of the frame so many times as high and wide."""


class Cabinet(gymnasium.Env):
    """A game whose resets say which level is played."""

    observation_space = spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)
    action_space = spaces.Discrete(ACTIONS)

    def __init__(self, difficulty: Difficulty, horizon: int) -> None:
        self._shelf = Shelf(difficulty, horizon)
        self._simulator: Simulator | None = None
        self._frame = np.zeros(self.observation_space.shape, np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Open an episode of level `options["level"]`; there is no noise to seed."""
        assert options is not None
        self._simulator = self._shelf.exchange(self._simulator, int(options["level"]))
        self._simulator.ask_opening()
        self._frame = self._simulator.opening().copy()
        return self._frame.copy(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Press a button."""
        assert self._simulator is not None
        self._simulator.ask_step(np.array([action], np.int32))
        outcome = self._simulator.outcome()
        self._frame = outcome.frame.copy()
        ends = outcome.terminated, outcome.truncated
        return self._frame.copy(), outcome.reward, *ends, {"success": outcome.completed}

    def render(self) -> Any:
        """The frame as it stands, enlarged."""
        return enlarged(self._frame)

    def close(self) -> None:
        """Let go of every simulator."""
        self._simulator = None
        self._shelf.clear()


def enlarged(frame: np.ndarray) -> np.ndarray:
    """A frame [height, width, 3] for an onlooker, each pixel `ZOOM` times as high and wide."""
    return frame.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
