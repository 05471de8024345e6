"""Meta-World: a robot arm that has to reach, push, open or close things, whose goal it is not told.

Yu et al. 2019, "Meta-World: A Benchmark and Evaluation for Multi-Task and Meta Reinforcement
Learning", arXiv:1910.10897; the version of McLean et al. 2025, "Meta-World+", arXiv:2505.11289.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from icrl.errors import ConfigError
from icrl.families import Episode, Rendered
from icrl.tasks import Tasks
from icrl.wrapped import WrappedFamily
from icrl_envs.arm_drawing import arm_picture
from icrl_envs.arms import HORIZON, Arm, goal_of
from icrl_envs.counts import check_counts
from icrl_envs.drawn_tasks import LATTICE, lattice
from icrl_envs.extras import require
from icrl_envs.remembered import Remembered
from icrl_envs.streams import task_stream

GOALS = 50
"""Tasks of each environment in a split, as Meta-World has it."""


class MetaWorld(WrappedFamily, Rendered):
    """Environments of Meta-World, each with fifty places of its goal and its objects."""

    def __init__(
        self, *, horizon: int = HORIZON, split_seed: int = 0, trial_episodes: int = 10
    ) -> None:
        """Make one environment.

        Raises:
            ConfigError: for numbers out of range.
            MissingPackageError: without Meta-World.
        """
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes)
        check_counts(0, split_seed=split_seed)
        if horizon > HORIZON:
            raise ConfigError(f"horizon={horizon}: expected at most {HORIZON}.")
        self.trial_episodes = trial_episodes
        self._split_seed = split_seed
        self._horizon = horizon
        self._environments = self.environments()
        together = (name for names in self._environments.values() for name in names)
        self._names = tuple(dict.fromkeys(together))
        self.num_tasks = {split: GOALS * len(names) for split, names in self._environments.items()}
        self.task_space = spaces.Dict(
            {"environment": spaces.Discrete(len(self._names)), "seed": spaces.Discrete(LATTICE)}
        )
        self.read_environment()
        self.max_episode_steps = horizon

    @abstractmethod
    def environments(self) -> dict[str, list[str]]:
        """The names of the environments of each split."""

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Environments [tasks], as evenly many of each as can be, and seeds [tasks] of goals."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        generator = torch.Generator().manual_seed(seed)
        names = self._environments[split]
        order = torch.randperm(len(names), generator=generator)
        goals = torch.stack([torch.randperm(GOALS, generator=generator) for _ in names])
        every = lattice(GOALS, split, task_stream(self._split_seed, split, 0))
        number = torch.arange(num_tasks)
        chosen = order[number % len(names)]
        numbers = torch.tensor([self._names.index(name) for name in names])
        arrays = {
            "environment": numbers[chosen],
            "seed": every[goals[chosen, number // len(names)]],
        }
        return Tasks(self.id, dict(self.arguments), split, arrays)

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A new arm; it plays some task until it is put into another."""
        arm = Arm(self._names, self._horizon)
        return arm if render_mode is None else Remembered(arm, self)

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Open an episode of a task; there is no noise to seed."""
        return env.reset(options={"task": task})[0]

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The table from above and from the side: the hand's way, the objects and the goal."""
        goal = goal_of(self._names[int(task["environment"])], int(task["seed"]))
        return arm_picture(np.asarray(episode.observation.cpu(), np.float64), goal)


class MetaWorldML1(MetaWorld):
    """One environment of Meta-World, whose goal is to be found out.

    | what        | space             | meaning                                                    |
    |-------------|-------------------|------------------------------------------------------------|
    | observation | Box [39]          | the hand (3), how open it is, two objects (7 each);        |
    |             |                   | the same a step before; zeros where the goal (3) would be  |
    | action      | Box [4] in ±1     | the move of the hand, and the grip                         |
    | reward      | 0 to 10           | Meta-World's own, shaped; 10 where the task is done        |
    | episode     | 500 steps         | truncated; success does not end it                         |
    | task        | environment       | always 0                                                   |
    |             | seed              | of the places of the goal and the objects                  |

    Fifty tasks train and fifty test, in the same environment. What is drawn from different seeds is
    different with probability one; where an object lies at first is seen, where the goal is not.
    A task opens every episode alike. What the optimum earns is unknown; in `"reach-v3"` random
    actions were measured to earn 800. Success is Meta-World's: the thing is where it should be.

    Keywords: `env` (`"reach-v3"`; any of Meta-World's fifty), `horizon` (at most 500), `split_seed`
    (which decides the places), `trial_episodes`.
    """

    def __init__(
        self,
        *,
        env: str = "reach-v3",
        horizon: int = HORIZON,
        split_seed: int = 0,
        trial_episodes: int = 10,
    ) -> None:
        self._env = env
        super().__init__(horizon=horizon, split_seed=split_seed, trial_episodes=trial_episodes)

    def environments(self) -> dict[str, list[str]]:
        """The same one in both splits."""
        known = listed("ML1")["train"]
        if self._env not in known:
            raise ConfigError(f"env={self._env!r}: expected one of {', '.join(known)}.")
        return {"train": [self._env], "test": [self._env]}


class MetaWorldML10(MetaWorld):
    """Ten environments of Meta-World to train in, and five others to be tested in.

    | what        | space             | meaning                                                    |
    |-------------|-------------------|------------------------------------------------------------|
    | observation | Box [39]          | the hand (3), how open it is, two objects (7 each);        |
    |             |                   | the same a step before; zeros where the goal (3) would be  |
    | action      | Box [4] in ±1     | the move of the hand, and the grip                         |
    | reward      | 0 to 10           | Meta-World's own, shaped; 10 where the task is done        |
    | episode     | 500 steps         | truncated; success does not end it                         |
    | task        | environment       | 0 to 9 in train, 10 to 14 in test                          |
    |             | seed              | of the places of the goal and the objects                  |

    Fifty tasks of each environment: 500 train, 250 test. Which environment it is, the agent is not
    told. Tasks that are drawn together are spread evenly over the environments. A task opens every
    episode alike. What the optimum earns is unknown; random actions were measured to earn 236.
    Success is Meta-World's.

    Keywords: `horizon` (at most 500), `split_seed` (which decides the places), `trial_episodes`.
    """

    def environments(self) -> dict[str, list[str]]:
        """As Meta-World has them."""
        return listed("ML10")


class MetaWorldML45(MetaWorld):
    """Forty-five environments of Meta-World to train in, and five others to be tested in.

    | what        | space             | meaning                                                    |
    |-------------|-------------------|------------------------------------------------------------|
    | observation | Box [39]          | the hand (3), how open it is, two objects (7 each);        |
    |             |                   | the same a step before; zeros where the goal (3) would be  |
    | action      | Box [4] in ±1     | the move of the hand, and the grip                         |
    | reward      | 0 to 10           | Meta-World's own, shaped; 10 where the task is done        |
    | episode     | 500 steps         | truncated; success does not end it                         |
    | task        | environment       | 0 to 44 in train, 45 to 49 in test                         |
    |             | seed              | of the places of the goal and the objects                  |

    Fifty tasks of each environment: 2250 train, 250 test. All else is as in `MetaWorldML10`. What
    the optimum earns is unknown; random actions were measured to earn 253.

    Keywords: `horizon` (at most 500), `split_seed` (which decides the places), `trial_episodes`.
    """

    def environments(self) -> dict[str, list[str]]:
        """As Meta-World has them."""
        return listed("ML45")


def listed(benchmark: str) -> dict[str, list[str]]:
    """The names of the environments of each split of a benchmark.

    Raises:
        MissingPackageError: without Meta-World.
    """
    require("metaworld", extra="metaworld", what=f"Meta-World's {benchmark}")
    from metaworld import env_dict

    splits = getattr(env_dict, f"{benchmark}_V3")
    return {split: list(splits[split]) for split in ("train", "test")}
