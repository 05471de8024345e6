"""WrappedFamily: a family whose environments are Gymnasium environments, stepped on the CPU."""

from abc import abstractmethod
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
import torch

from icrl.errors import SpaceError
from icrl.families import Playable, TaskFamily
from icrl.spaces import leaf_spaces
from icrl.tasks import Tasks
from icrl.wrapped.simulators import step_seconds
from icrl.wrapped.texts import with_texts
from icrl.wrapped.vector import WrappedVectorEnv


class WrappedFamily(TaskFamily, Playable):
    """A family whose environments a simulator steps on the CPU.

    A subclass says how to make an environment, how to put it into a task, and how tasks are drawn.
    Its constructor ends with `self.read_environment()`, which makes one environment and takes the
    spaces and the horizon from it. It also sets `task_space`. The family travels to worker
    processes, so it keeps no environment.
    """

    @abstractmethod
    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A new environment; every row of a vector environment has its own."""

    @abstractmethod
    def reset_to(self, env: gymnasium.Env, task: dict[str, np.ndarray], seed: int | None) -> Any:
        """Open an episode of a task and return its first observation.

        `seed` seeds the environment's noise; None goes on with the generator that it has.
        """

    @cached_property
    def step_seconds(self) -> float:
        """How long a step of one environment takes, measured once."""
        return step_seconds(self)

    def read_environment(self) -> None:
        """Make one environment, and take from it what a family says.

        That is the spaces, the horizon and whether success is reported.

        Success counts as reported if the first step's `info` has `success` or `is_success`.

        Raises:
            SpaceError: if a space has no tensor form.
        """
        env = self.make_env()
        try:
            self.observation_space = with_texts(env.observation_space)
            self.action_space = env.action_space
            for what, space in (
                ("observation", self.observation_space),
                ("action", self.action_space),
            ):
                try:
                    leaf_spaces(space)
                except SpaceError as error:
                    raise SpaceError(
                        f"{env.spec.id if env.spec else env}, {what} space: {error}"
                    ) from error
            self.max_episode_steps = _horizon(env)
            env.reset(seed=0)
            env.action_space.seed(0)
            info = env.step(env.action_space.sample())[-1]
            self.reports_success = "success" in info or "is_success" in info
        finally:
            env.close()

    def vector_env(
        self,
        tasks: Tasks,
        *,
        num_envs: int | None = None,
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
        workers: int | None = None,
        render_mode: str | None = None,
    ) -> WrappedVectorEnv:
        """Environments that play these tasks.

        Beyond what every family's `vector_env` takes:

        Args:
            workers: processes that step the environments; 0: this one; None: as many as there are
                cores if a step of all environments is slow enough to be worth it. The results are
                the same.
            render_mode: `"rgb_array"` if `render()` shall return frames.
        """
        self.check_tasks(tasks)
        return WrappedVectorEnv(
            self,
            tasks,
            num_envs=num_envs,
            episodes_per_task=episodes_per_task,
            device=device,
            workers=workers,
            render_mode=render_mode,
        )

    def single_env(
        self,
        *,
        split: str = "train",
        episodes_per_task: int | None = None,
        render_mode: str | None = None,
    ) -> gymnasium.Env:
        """One environment with the three resets of `TaskEnv`."""
        from icrl.wrapped.single import WrappedEnv

        return WrappedEnv(
            self, split=split, episodes_per_task=episodes_per_task, render_mode=render_mode
        )


def _horizon(env: gymnasium.Env) -> int | None:
    """The steps after which an episode is cut: the specification's, else MiniGrid's attribute."""
    stated = env.spec.max_episode_steps if env.spec is not None else None
    if stated is None:
        stated = getattr(env.unwrapped, "max_steps", None)
    return stated if isinstance(stated, int) and stated > 0 else None
