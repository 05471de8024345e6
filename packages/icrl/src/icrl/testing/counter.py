"""Counter: a Gymnasium environment whose every number is known beforehand."""

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from icrl.tasks import Tasks
from icrl.wrapped import WrappedFamily


class Counter(gymnasium.Env):
    """Counts its steps: observes [step, task, last action]; ends at `length`, by `how`."""

    observation_space = spaces.Box(-100.0, 100.0, (3,), np.float64)
    action_space = spaces.Box(-2.0, 2.0, (1,), np.float32)

    def __init__(self, length: int = 3, how: str = "truncated") -> None:
        self.length, self.how = length, how
        self.task, self.at = 0, 0
        self.received: list[float] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Begin to count."""
        super().reset(seed=seed)
        self.at = 0
        return self._observation(0.0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Count; the reward is the count."""
        assert action.dtype == np.float32 and Counter.action_space.contains(action)
        self.at += 1
        self.received.append(float(action[0]))
        end = self.at == self.length
        flags = {"terminated": (end, False), "truncated": (False, end), "both": (end, end)}
        return self._observation(action[0]), float(self.at), *flags[self.how], {"success": end}

    def _observation(self, action: float) -> np.ndarray:
        return np.array([self.at, self.task, action], np.float64)


class CounterFamily(WrappedFamily):
    """Counters whose task is a number that they show."""

    id = "Counter"
    trial_episodes = 2
    num_tasks = {"train": 89, "test": 8}  # noqa: RUF012
    task_space = spaces.Dict({"number": spaces.Discrete(97)})

    def __init__(self, length: int = 3, how: str = "truncated") -> None:
        self.length, self.how = length, how
        self.read_environment()

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Consecutive numbers from ten times the seed on: 0 to 88 to train, 89 to 96 to test."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        first, count = (0, 89) if split == "train" else (89, 8)
        numbers = first + (seed * 10 + torch.arange(num_tasks)) % count
        return Tasks(self.id, dict(self.arguments), split, {"number": numbers})

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A counter."""
        return Counter(self.length, self.how)

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Show the task's number."""
        assert isinstance(env.unwrapped, Counter)
        env.unwrapped.task = int(task["number"])
        return env.reset(seed=seed)[0]
