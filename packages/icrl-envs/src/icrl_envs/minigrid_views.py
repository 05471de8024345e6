"""What an agent sees of a MiniGrid level: symbols, and of the mission the words that vary."""

import itertools
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class SymbolicView(gymnasium.Wrapper):
    """A level whose mission is left out where it says nothing, and which reports success."""

    def __init__(self, env: gymnasium.Env) -> None:
        from minigrid.core.constants import OBJECT_TO_IDX

        super().__init__(env)
        space: Any = env.observation_space
        shown = {
            "direction": space["direction"],
            "image": spaces.Box(0, max(OBJECT_TO_IDX.values()), space["image"].shape, np.uint8),
        }
        self._codes, numbers = _mission_codes(space["mission"])
        self._tells_mission = bool(numbers)
        if numbers:
            shown["mission"] = spaces.MultiDiscrete(numbers)
        self.observation_space = spaces.Dict(shown)

    def reset(self, **arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Open an episode."""
        observation, info = self.env.reset(**arguments)
        return self._seen(observation), info

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act; only success pays."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        earned = float(reward)
        info["success"] = terminated and earned > 0
        return self._seen(observation), earned, terminated, truncated, info

    def _seen(self, observation: dict[str, Any]) -> dict[str, Any]:
        seen = {
            "direction": np.int64(observation["direction"]),
            "image": np.asarray(observation["image"], np.uint8),
        }
        if self._tells_mission:
            seen["mission"] = self._codes[observation["mission"]].copy()
        return seen


def _mission_codes(space: Any) -> tuple[dict[str, np.ndarray], list[int]]:
    """The codes of every mission, and how many values each code has; no codes if all are alike."""
    words = [list(choices) for choices in space.ordered_placeholders or []]
    varying = [i for i, choices in enumerate(words) if len(choices) > 1]
    codes = {
        space.mission_func(*(words[i][j] for i, j in enumerate(indices))): np.array(
            [indices[i] for i in varying], np.int64
        )
        for indices in itertools.product(*(range(len(choices)) for choices in words))
    }
    return codes, [len(words[i]) for i in varying]
