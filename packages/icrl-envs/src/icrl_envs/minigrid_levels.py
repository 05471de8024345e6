"""MiniGrid: any level of it, a layout being a task.

Chevalier-Boisvert et al. 2023, "Minigrid & Miniworld: Modular & Customizable Reinforcement Learning
Environments for Goal-Oriented Tasks", arXiv:2306.13831.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from icrl.errors import ConfigError
from icrl.families import Episode, Rendered
from icrl.partition import Partition
from icrl.spaces import unstack
from icrl.tasks import Tasks
from icrl.wrapped import WrappedFamily
from icrl.wrapped.ids import find_spec, make
from icrl_envs.counts import check_counts
from icrl_envs.extras import require
from icrl_envs.minigrid_layouts import SEEDS, layouts_of
from icrl_envs.minigrid_views import SymbolicView


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

    What the optimum earns is unknown, random actions mostly nothing (the package's README has what
    was measured). Success is reaching the goal, or whatever else the mission asks for.

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
        check_counts(1, horizon=1 if horizon is None else horizon, trial_episodes=trial_episodes)
        check_counts(0, split_seed=split_seed)
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
        self._partition = self._divided() if self._few else None
        if self._partition is not None:
            self.num_tasks = self._partition.num_tasks
        self.read_environment()

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Seeds [tasks] of different layouts of a split; splits are disjoint by layout.

        Raises:
            SplitError, TaskError: if there is no such split, or it has fewer layouts.
        """
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        if self._partition is not None:
            chosen = self._partition.draw(num_tasks, split=split, seed=seed)
            seeds = [self._few[int(number)] for number in chosen]
        else:
            layouts = layouts_of(self._level)
            seeds = layouts.found(num_tasks, split, seed=seed, split_seed=self._split_seed)
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

    def _divided(self) -> Partition:
        """The layouts of a small level in two splits."""
        if len(self._few) == 1:
            raise ConfigError(
                f"env={self._level!r} has a single layout, so nothing is left to hold out. Choose "
                "a level with more, such as 'MiniGrid-Empty-Random-5x5-v0'."
            )
        return Partition(
            len(self._few), num_train_tasks=None, num_test_tasks=None, split_seed=self._split_seed
        )
