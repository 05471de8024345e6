"""Source: a reinforcement learner whose whole learning is recorded."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch

from icrl.config import Config
from icrl.families import TaskFamily
from icrl.tasks import Tasks

if TYPE_CHECKING:
    from icrl.histories import HistoryRecorder


class Source(ABC):
    """Trains a learner on each task, from scratch, and records every transition.

    The recorder sits at the environment boundary: row `t` holds the observation that the learner
    acted on, the action that the environment received, and what it answered. What a `LearnerView`
    shows in addition is never recorded.
    """

    name: ClassVar[str]
    """The name of its spec, `q-learning`: a store belongs to the source that began it."""

    def __init__(self, config: Config, family: TaskFamily, device: torch.device) -> None:
        """Keep the settings; refuse a family that the learner cannot serve.

        Raises:
            ConfigError, SpaceError: before anything is collected.
        """
        self.config = config
        self.family = family
        self.device = device

    @property
    @abstractmethod
    def steps(self) -> int:
        """Steps in each learning history."""

    @property
    @abstractmethod
    def streams_per_task(self) -> int:
        """Learning histories of each task."""

    @property
    @abstractmethod
    def tasks_per_shard(self) -> int:
        """How many tasks are learned at once and written as one shard."""

    @abstractmethod
    def record(self, tasks: Tasks, recorder: "HistoryRecorder", *, seed: int) -> None:
        """Learn these tasks (at most `tasks_per_shard`), giving every step to the recorder.

        Streams come out in the order of the tasks, `streams_per_task` in a row for each. All
        randomness comes from `seed`, so that a shard begun anew is the same shard.
        """
