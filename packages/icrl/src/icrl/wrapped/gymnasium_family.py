"""GymnasiumFamily: any Gymnasium id as a family, whose tasks are seeds."""

import random
from typing import Any

import gymnasium
import numpy as np
import torch

from icrl.tasks import Tasks
from icrl.wrapped.family import WrappedFamily
from icrl.wrapped.ids import find_spec, make

SEEDS = 2**31 - 1
"""Seeds that every simulator takes are below this."""


class GymnasiumFamily(WrappedFamily):
    """A family made of any Gymnasium id: its tasks are seeds, as Procgen's levels are.

    | what        | meaning                                                                          |
    |-------------|----------------------------------------------------------------------------------|
    | observation | the environment's own                                                            |
    | action      | the environment's own                                                            |
    | episode     | the environment's own                                                            |
    | task        | seed: the environment is reset with it at every episode of a trial               |
    | splits      | train: seeds below 2^30; test: those above. Disjoint by seed, not by content     |

    Since a seed is replayed, whatever noise the environment draws repeats in every episode too.
    """

    trial_episodes = 20

    def __init__(self, id: str, **arguments: Any) -> None:
        """Find the environment and read its spaces.

        Args:
            id: a Gymnasium id, also of a package that was not imported yet, or `module:Id`.
            arguments: given to `gymnasium.make`.

        Raises:
            UnknownFamilyError, MissingPackageError: if there is no such environment, or it is not installed.
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
            f"{self.id} has no family of its own: its tasks are seeds. Every episode of a trial replays one seed, so "
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
