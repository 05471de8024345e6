"""The source `q-learning`: batched tabular Q-learning with backward replay.

Watkins 1989, "Learning from Delayed Rewards"; Lin 1992, "Self-Improving Reactive Agents Based on
Reinforcement Learning, Planning and Teaching", for the replay of transitions in reverse.
"""

from contextlib import closing

import torch
from torch import Tensor

from icrl.agent import Interface
from icrl.errors import SpaceError
from icrl.families import LearnerView, TaskFamily
from icrl.histories import HistoryRecorder
from icrl.histories.columns import SUCCESS
from icrl.source import Source
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl.vector import TaskVectorEnv
from icrl_sources.enumeration import Enumeration
from icrl_sources.q_learning_config import QLearningConfig
from icrl_sources.tabular import QLearners

SHARD_TRANSITIONS = 1 << 25
"""A shard has about so many transitions at most: some hundred megabytes."""
TABLE_BYTES = 1 << 32
"""The tables of a batch of learners may take so much memory."""


class QLearningSource(Source):
    """Trains one tabular Q-learner per stream, thousands at once, on the device.

    It sees what the family's `LearnerView` shows, where there is one; the histories hold the
    environment's own observations. Equal seeds give equal histories on one device.
    """

    name = "q-learning"
    config: QLearningConfig

    def __init__(self, config: QLearningConfig, family: TaskFamily, device: torch.device) -> None:
        """Number the cells and the actions.

        Raises:
            SpaceError: if there are not finitely many, or too many for a table.
            ConfigError: if a history's length does not follow from the horizon.
        """
        super().__init__(config.adapted(Interface.of(family)), family, device)
        self._view = family if isinstance(family, LearnerView) else None
        space = (
            family.observation_space if self._view is None else self._view.learner_observation_space
        )
        self._cells = Enumeration(space)
        self._actions = Enumeration(family.action_space)
        bytes_per_entry = 8 if config.visit_bonus else 4  # the value, and the count of visits
        bytes_per_learner = bytes_per_entry * self._cells.size * self._actions.size
        if bytes_per_learner * self.streams_per_task > TABLE_BYTES:
            raise SpaceError(
                f"{family.id} has {self._cells.size:,} observations and {self._actions.size:,} "
                f"actions: tables for {self.streams_per_task} learners of a task would take "
                f"{bytes_per_learner * self.streams_per_task / 1e9:,.0f} GB. "
                "Collect with --source sb3 instead, or with fewer --source.streams-per-task."
            )
        learners = min(
            config.learners_at_once,
            SHARD_TRANSITIONS // self.steps,
            TABLE_BYTES // bytes_per_learner,
        )
        self._tasks_per_shard = max(1, learners // self.streams_per_task)

    @property
    def steps(self) -> int:
        """Steps in each learning history."""
        assert self.config.steps is not None
        return self.config.steps

    @property
    def streams_per_task(self) -> int:
        """Learning histories of each task."""
        return self.config.streams_per_task

    @property
    def tasks_per_shard(self) -> int:
        """How many tasks are learned at once and written as one shard."""
        return self._tasks_per_shard

    def record(self, tasks: Tasks, recorder: HistoryRecorder, *, seed: int) -> None:
        """Learn these tasks and record every step; see `Source.record`."""
        streams = tasks.repeat(self.streams_per_task)
        with closing(self.family.vector_env(streams, device=self.device)) as env:
            self._learn(env, recorder, seed)

    def _learn(self, env: TaskVectorEnv, recorder: HistoryRecorder, seed: int) -> None:
        config = self.config
        learners = QLearners(
            env.num_envs,
            self._cells.size,
            self._actions.size,
            initial_value=config.initial_value,
            learning_rate=config.learning_rate,
            discount=config.discount,
            visit_bonus=config.visit_bonus,
            generator=torch.Generator(self.device).manual_seed(seed + 1),
            device=self.device,
        )
        recent: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        observation, info = env.reset(seed=seed)
        rows = learners.rows(self._cell(env, observation))
        for step in range(self.steps):
            actions = learners.act(rows, self._epsilon(step))
            entries = learners.entries(rows, actions)
            action = self._actions.values(actions)
            opened, reward, terminated, truncated, info = env.step(action)
            outcome = info["final_obs"]
            success = {SUCCESS: info[SUCCESS]} if self.family.reports_success else {}
            recorder.step(observation, action, reward, terminated, truncated, outcome, **success)
            next_rows = learners.rows(self._outcome_cell(env, outcome))
            transition = (entries, reward, next_rows, terminated)
            learners.count(entries)
            learners.learn(*transition)
            rows = next_rows if opened is outcome else learners.rows(self._cell(env, opened))
            observation = opened
            recent.append(transition)
            if len(recent) == config.replay_steps:
                for old in reversed(recent):
                    learners.learn(*old)
            if len(recent) >= (config.replay_steps or 0):
                recent.clear()

    def _epsilon(self, step: int) -> float:
        """The probability of a random action at a step: it falls linearly, then stays."""
        config = self.config
        over = config.exploration_fraction * self.steps
        done = min(1.0, step / over) if over else 1.0
        first, last = config.exploration_initial_eps, config.exploration_final_eps
        return first + done * (last - first)

    def _cell(self, env: TaskVectorEnv, observation: Tree) -> Tensor:
        """The cell that each learner sees, [learners]."""
        seen = observation if self._view is None else self._view.learner_observation(env)
        return self._cells.numbers(seen)

    def _outcome_cell(self, env: TaskVectorEnv, outcome: Tree) -> Tensor:
        """The cell that each learner's action led to, [learners]."""
        seen = outcome if self._view is None else self._view.learner_outcome(env)
        return self._cells.numbers(seen)
