"""Procgen: sixteen games in pixels, whose levels are drawn by programs.

Cobbe et al. 2020, "Leveraging Procedural Generation to Benchmark Reinforcement Learning",
arXiv:1912.01588.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from icrl.errors import ConfigError
from icrl.families import Episode, Rendered
from icrl.tasks import Tasks
from icrl.wrapped import SteppedTogether, Stepper, WrappedFamily
from icrl.wrapped.buffers import Buffers
from icrl_envs.counts import check_counts
from icrl_envs.procgen.cabinet import Cabinet, enlarged
from icrl_envs.procgen.games import LEVELS, difficulty
from icrl_envs.procgen.levels import FIRST_HELD_OUT, held_out
from icrl_envs.procgen.simulators import require_envpool
from icrl_envs.procgen.stepping import LevelStepper


class Procgen(WrappedFamily, SteppedTogether, Rendered):
    """One of Procgen's games.

    | what        | space                 | meaning                                           |
    |-------------|-----------------------|---------------------------------------------------|
    | observation | Box uint8 [64, 64, 3] | the frame, channels last                          |
    | action      | Discrete(15)          | eight moves, none, and six more buttons           |
    | reward      | the game's own        | 10 for completing the level in most games         |
    | episode     | 500 to 6000 steps     | ends with the level's completion, or with a death |
    | task        | level                 | the seed of a level                               |

    A level opens every episode alike, and what it draws at random repeats too. Training levels are
    0 to 199, as in the literature. Test levels are drawn from those above 2^30, leaving out each
    that looks like a training level or like another test level: whose first frame is the same as
    it is shown, or without backgrounds and themes and with all of the level that the game can show.
    What comes later (BigFish's fish), or lies out of sight, a first frame does not tell; levels
    that open alike are left out even if they differ there.

    Completing the level is success. What the optimum earns is unknown, and at most 10 where nothing
    else pays; the package's README has what random actions earn.

    Keywords: `env`, the game; `distribution_mode` (`"easy"`, `"hard"`; some have `"extreme"` or
    `"memory"`), `num_train_tasks`, `num_test_tasks`, `split_seed` (which decides the test levels,
    together with the training levels that they must not look like), `horizon` (the game's own, at
    most), `trial_episodes`.
    """

    task_space = spaces.Dict({"level": spaces.Discrete(LEVELS)})
    reports_success = True

    def __init__(
        self,
        *,
        env: str = "maze",
        distribution_mode: str = "easy",
        num_train_tasks: int = 200,
        num_test_tasks: int = 1000,
        split_seed: int = 0,
        horizon: int | None = None,
        trial_episodes: int = 1,
    ) -> None:
        """Find the game; no level is looked at yet.

        Raises:
            ConfigError: for a game or difficulty that there is not, and numbers out of range.
            MissingPackageError: without envpool, or a system library that it needs.
        """
        self._difficulty = difficulty(env, distribution_mode)
        most = self._difficulty.game.horizon
        horizon = most if horizon is None else horizon
        counts = {"num_train_tasks": num_train_tasks, "num_test_tasks": num_test_tasks}
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes, **counts)
        check_counts(0, split_seed=split_seed)
        if horizon > most:
            raise ConfigError(f"horizon={horizon}: expected at most {most} in {env}.")
        if num_train_tasks > FIRST_HELD_OUT:
            raise ConfigError(f"num_train_tasks={num_train_tasks}: expected at most 2**30.")
        require_envpool(f"Procgen's {env}")
        self.observation_space, self.action_space = Cabinet.observation_space, Cabinet.action_space
        self.max_episode_steps, self.trial_episodes = horizon, trial_episodes
        self.num_tasks = {"train": num_train_tasks, "test": num_test_tasks}
        self._horizon, self._split_seed = horizon, split_seed

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Levels [tasks] of a split.

        The first test levels of a process take some seconds, since every training level is looked
        at: ten thousand of these take minutes.

        Raises:
            SplitError, TaskError: if there is no such split, or it has fewer levels.
        """
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(self.num_tasks[split] or 0, generator=generator)[:num_tasks]
        if split == "test":
            chosen = torch.tensor(self._held_out())[chosen]
        return Tasks(self.id, dict(self.arguments), split, {"level": chosen})

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A game to be played alone."""
        return Cabinet(self._difficulty, self._horizon)

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Open an episode of a level; there is no noise to seed."""
        return env.reset(options=task)[0]

    def stepper(self, buffers: Buffers) -> Stepper:
        """All rows in envpool's threads."""
        return LevelStepper(self._difficulty, self._horizon, buffers)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The last frame, enlarged."""
        return enlarged(np.asarray(episode.observation[-1].cpu(), np.uint8))

    def _held_out(self) -> tuple[int, ...]:
        counts = self.num_tasks["train"] or 0, self.num_tasks["test"] or 0
        return held_out(self._difficulty, *counts, self._split_seed)
