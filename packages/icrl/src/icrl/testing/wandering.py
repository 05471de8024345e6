"""Wandering: a source that learns nothing, for tests of whatever collects or reads histories."""

from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import torch

from icrl.config import Config
from icrl.histories import HistoryRecorder
from icrl.interaction import play
from icrl.random_agent import RandomPolicy
from icrl.source import Source
from icrl.tasks import Tasks
from icrl.vector import TaskVectorEnv


@dataclass(frozen=True, kw_only=True)
class WanderingConfig(Config):
    """Settings of a source that wanders."""

    steps: int = 23
    """Steps of each history."""
    streams_per_task: int = 2
    """Histories of each task."""
    tasks_per_shard: int = 1
    """Tasks of one shard."""


class WanderingSource(Source):
    """Acts uniformly at random; records the number of each step as the column `clock`."""

    name = "wandering"
    config: WanderingConfig

    @property
    def steps(self) -> int:
        """Steps in each history."""
        return self.config.steps

    @property
    def streams_per_task(self) -> int:
        """Histories of each task."""
        return self.config.streams_per_task

    @property
    def tasks_per_shard(self) -> int:
        """Tasks of one shard."""
        return self.config.tasks_per_shard

    def record(self, tasks: Tasks, recorder: HistoryRecorder, *, seed: int) -> None:
        """Wander through these tasks; see `Source.record`."""
        streams = tasks.repeat(self.streams_per_task)
        with closing(self.family.vector_env(streams, device=self.device)) as env:
            self._wander(env, recorder, seed)

    def _wander(self, env: TaskVectorEnv, recorder: HistoryRecorder, seed: int) -> None:
        policy = RandomPolicy(self.family.action_space, self.device)
        for clock, step in enumerate(islice(play(policy, env, seed=seed), self.steps)):
            recorder.step(
                step.timestep.observation,
                step.action,
                step.reward,
                step.terminated,
                step.truncated,
                step.following.outcome,
                clock=torch.full((env.num_envs,), clock, dtype=torch.int16, device=self.device),
            )
