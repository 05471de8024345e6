"""GymnasiumFamily: any Gymnasium id as a family, whose tasks are seeds."""

import random
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from icrl.errors import UsageError
from icrl.families import Episode, Rendered
from icrl.spaces import unstack
from icrl.tasks import Tasks
from icrl.wrapped.family import WrappedFamily
from icrl.wrapped.ids import find_spec, make
from icrl.wrapped.quiet import quieten_display

SEEDS = 2**31 - 1
"""Seeds that every simulator takes are below this."""


class GymnasiumFamily(WrappedFamily, Rendered):
    """A family made of any Gymnasium id: its tasks are seeds, as Procgen's levels are.

    | what        | meaning                                                           |
    |-------------|-------------------------------------------------------------------|
    | observation | the environment's own                                             |
    | action      | the environment's own                                             |
    | episode     | the environment's own                                             |
    | task        | seed: every episode of a trial resets the environment with it     |
    | splits      | train: seeds below 2^30, test: those above; disjoint by seed only |

    Since a seed is replayed, whatever noise the environment draws repeats in every episode too.
    """

    trial_episodes = 20
    task_space = spaces.Dict({"seed": spaces.Discrete(SEEDS)})

    def __init__(self, id: str, **arguments: Any) -> None:
        """Find the environment and read its spaces.

        Args:
            id: a Gymnasium id, also of a package that was not imported yet, or `module:Id`.
            arguments: given to `gymnasium.make`.

        Raises:
            UnknownFamilyError, MissingPackageError: if there is no such environment, or it is not
                installed.
            ConfigError: if it does not take the arguments.
            SpaceError: if a space has no tensor form.
        """
        self.id = id
        self.arguments = arguments
        self.spec = find_spec(id)
        self.read_environment()

    @property
    def note(self) -> str:
        """What a user should know about these tasks."""
        return (
            f"{self.id} has no family of its own: its tasks are seeds. Every episode of a trial "
            "replays one seed, so "
            "what the environment draws at random repeats too."
        )

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Draw distinct seeds of a split."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        seeds = range(2**30) if split == "train" else range(2**30, SEEDS)
        chosen = random.Random(f"{split}/{seed}").sample(seeds, num_tasks)
        return Tasks(
            self.id, self.arguments, split, {"seed": torch.tensor(chosen, dtype=torch.int64)}
        )

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A new environment of the id."""
        return make(self.spec, self.arguments, render_mode)

    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Reset with the task's own seed: the seed of the noise has nothing left to decide."""
        return env.reset(seed=int(task["seed"]))[0]

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The picture of an episode, [height, width, 3] uint8: its actions are played again.

        Raises:
            UsageError: if the environment cannot draw itself here.
        """
        quieten_display()
        try:
            env = self.make_env("rgb_array")
            try:
                self.reset_to(env, dict(task), None)
                if len(episode.reward):
                    for action in unstack(self.action_space, episode.action):
                        env.step(action)
                return np.asarray(env.render(), np.uint8)
            finally:
                env.close()
        except Exception as error:
            raise UsageError(f"{self.id} cannot be drawn: {error}") from error
