"""MiniGrid: any level of it, a layout being a task.

Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld: Modular & Customizable Reinforcement Learning
Environments for Goal-Oriented Tasks", arXiv:2306.13831.
"""

import hashlib
import itertools
from collections.abc import Mapping
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from icrl.errors import ConfigError, TaskError
from icrl.families import Episode, Rendered
from icrl.partition import Partition
from icrl.spaces import unstack
from icrl.tasks import Tasks
from icrl.wrapped import WrappedFamily
from icrl.wrapped.ids import find_spec, make
from icrl_envs.extras import require

SEEDS = 2**31 - 1
HELD_OUT = 5
"""One of so many layouts is held out."""
PROBED, SURVEYED = 128, 2000
"""Seeds whose layouts are counted: if more than one of the first repeats, the level is a small one
and its tasks are the layouts that the second, larger number of seeds shows."""
MOST_TRIES = 1000
"""Seeds looked at for each task that is asked for, before giving up."""


class MiniGrid(WrappedFamily, Rendered):
    """A level of MiniGrid.

    | what        | space                     | meaning                                            |
    |-------------|---------------------------|----------------------------------------------------|
    | observation | image: Box uint8 [7,7,3]  | the cells ahead: object, colour, state of each     |
    |             | direction: Discrete(4)    | right, down, left, up                              |
    |             | mission: MultiDiscrete    | the words in which missions differ, if they do     |
    | action      | Discrete(7)               | left, right, forward, pick up, drop, toggle, done  |
    | reward      | 0 to 1                    | 1 - 0.9 * steps / horizon on success, at the end   |
    | episode     | the level's own horizon   | ends with success, in lava, on a collision         |
    | task        | seed                      | of the layout: grid, start and mission             |

    A view of symbols, so `icrl.nn` embeds it. A mission that is the same in every layout of the
    level is left out; else its varying words are numbered (KeyCorridor: the ball's colour).

    Splits share no layout: which split a layout belongs to is decided by what it is made of, and
    by `split_seed`. One in five is held out. A level with few layouts (DoorKey-5x5 has 48) has
    as many tasks as 2000 seeds show, others as many as asked for. Tasks that are drawn together
    have different layouts. Every episode of a trial plays the same layout from the same start.

    What the optimum and random actions earn is unknown. Success is reaching the goal, or
    whatever else the mission asks for.

    Keywords: `env`, the level, also of those without an id here; `horizon` (the level's own, with
    which the reward shrinks more slowly if it is longer), `split_seed`, `trial_episodes`.
    """

    task_space = spaces.Dict({"seed": spaces.Discrete(SEEDS)})

    def __init__(
        self,
        *,
        env: str = "MiniGrid-FourRooms-v0",
        horizon: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 20,
    ) -> None:
        """Find the level, and see how many layouts it has.

        Raises:
            ConfigError: if it is no level of MiniGrid, or has too few layouts for two splits.
        """
        for name, number, least in (
            ("horizon", 1 if horizon is None else horizon, 1),
            ("trial_episodes", trial_episodes, 1),
            ("split_seed", split_seed, 0),
        ):
            if number < least:
                raise ConfigError(f"{name}={number}: expected {least} or more.")
        if not env.startswith("MiniGrid-"):
            raise ConfigError(
                f"env={env!r}: expected a level of MiniGrid, such as 'MiniGrid-FourRooms-v0'. Any "
                "other Gymnasium id is a family by itself."
            )
        require("minigrid", extra="minigrid", what=env)
        self.trial_episodes = trial_episodes
        self._spec = find_spec(env)
        self._arguments = {} if horizon is None else {"max_steps": horizon}
        self._level, self._split_seed = env, split_seed
        self._few = layouts_of(env).few
        if len(self._few) == 1:
            raise ConfigError(
                f"env={env!r} has a single layout, so nothing is left to hold out. Choose a level "
                "with more, such as 'MiniGrid-Empty-Random-5x5-v0'."
            )
        if self._few:
            self._partition = Partition(
                len(self._few), num_train_tasks=None, num_test_tasks=None, split_seed=split_seed
            )
            self.num_tasks = self._partition.num_tasks
        self.read_environment()
        self.reports_success = True

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Seeds [tasks] of different layouts of a split; splits are disjoint by layout.

        Raises:
            SplitError, TaskError: if there is no such split, or it has fewer layouts.
        """
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        if self._few:
            chosen = self._partition.draw(num_tasks, split=split, seed=seed)
            seeds = [self._few[int(number)] for number in chosen]
        else:
            seeds = self._found(num_tasks, split, seed)
        arrays = {"seed": torch.tensor(seeds, dtype=torch.int64)}
        return Tasks(self.id, dict(self.arguments), split, arrays)

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A new environment of the level."""
        return SymbolicView(make(self._spec, self._arguments, render_mode))

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Lay the level out by the task's own seed: the seed of the noise has nothing to decide."""
        return env.reset(seed=int(task["seed"]))[0]

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The level where the episode stands, its actions played again; what is seen is lit."""
        env = self.make_env("rgb_array")
        try:
            self.reset_to(env, dict(task), None)
            if len(episode.reward):
                for action in unstack(self.action_space, episode.action):
                    env.step(action)
            return np.asarray(env.render(), np.uint8)
        finally:
            env.close()

    def _found(self, num_tasks: int, split: str, seed: int) -> list[int]:
        """Seeds of different layouts of a split, looked for in an order that `seed` fixes."""
        layouts = layouts_of(self._level)
        candidates = np.random.default_rng(seed)
        found: dict[bytes, int] = {}
        for _ in range(MOST_TRIES * num_tasks):
            candidate = int(candidates.integers(SEEDS))
            content = layouts.content(candidate)
            if self._held_out(content) == (split == "test"):
                found.setdefault(content, candidate)
            if len(found) == num_tasks:
                return list(found.values())
        raise TaskError(
            f"{num_tasks} tasks asked of {self.id} ({split}); {MOST_TRIES * num_tasks} seeds show "
            f"{len(found)} different layouts."
        )

    def _held_out(self, content: bytes) -> bool:
        salted = hashlib.sha256(content + str(self._split_seed).encode()).digest()
        return int.from_bytes(salted[:8], "big") % HELD_OUT == 0


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
        if "mission" in self.observation_space.spaces:  # type: ignore[attr-defined]
            seen["mission"] = self._codes[observation["mission"]].copy()
        return seen


class Layouts:
    """What the seeds of a level lay out."""

    def __init__(self, level: str) -> None:
        self._env: Any = make(find_spec(level), {}).unwrapped
        seen = {self.content(seed) for seed in range(PROBED)}
        self.few: list[int] = []
        """A seed for each layout of a small level; empty for all others."""
        if len(seen) < PROBED - 1:
            first = {self.content(seed): seed for seed in reversed(range(SURVEYED))}
            self.few = sorted(first.values())

    def content(self, seed: int) -> bytes:
        """What a layout is made of: the grid, the agent's place and direction, the mission."""
        env = self._env
        env.reset(seed=seed)
        start = [*map(int, env.agent_pos), int(env.agent_dir)]
        return env.grid.encode().tobytes() + bytes(start) + env.mission.encode()


@cache
def layouts_of(level: str) -> Layouts:
    """The layouts of a level, looked at once in a process."""
    return Layouts(level)


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
