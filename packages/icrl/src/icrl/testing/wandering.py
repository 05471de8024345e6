"""Wandering: a source that learns nothing, for tests of whatever collects or reads histories."""

from dataclasses import dataclass
from itertools import islice

import torch

from icrl.config import Config
from icrl.histories import HistoryRecorder
from icrl.interaction import play
from icrl.random_agent import RandomPolicy
from icrl.source import Source
from icrl.tasks import Tasks


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
        env = self.family.vector_env(tasks.repeat(self.streams_per_task), device=self.device)
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
        env.close()
