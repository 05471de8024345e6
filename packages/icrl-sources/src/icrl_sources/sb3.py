"""The source `sb3`: any algorithm of Stable-Baselines3, unmodified, recorded at the environment's
boundary.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from icrl.agent import Interface
from icrl.families import LearnerView, TaskFamily
from icrl.sb3 import (
    ActionView,
    ObservationView,
    TaskVecEnv,
    algorithm,
    blamed_settings,
    make_model,
    normalized,
    own_globals,
    policy_name,
)
from icrl.source import Source
from icrl.tasks import Tasks
from icrl.vector import TaskVectorEnv
from icrl_sources.recording import RecordedVectorEnv
from icrl_sources.sb3_config import SB3Config

if TYPE_CHECKING:
    from icrl.histories import HistoryRecorder


class SB3Source(Source):
    """Trains one Stable-Baselines3 learner for each task; each of its environments gives one
    history.

    | optional column   | meaning                                                     |
    |-------------------|-------------------------------------------------------------|
    | `update`          | how often the learner had updated its weights when it acted |
    | `log_probability` | of the action before clipping (on-policy algorithms)        |
    """

    name: ClassVar[str] = "sb3"
    tasks_per_shard = 1

    def __init__(self, config: SB3Config, family: TaskFamily, device: torch.device) -> None:
        """Keep the settings; the learner runs on the CPU, since SB3 acts through NumPy.

        Raises:
            ConfigError: for an algorithm that there is not.
            SpaceError: for spaces that the algorithm cannot serve.
        """
        super().__init__(config.adapted(Interface.of(family)), family, torch.device("cpu"))
        self.config: SB3Config
        self._learner = algorithm(config.algorithm)
        seen = family.observation_space
        if config.learner_view and isinstance(family, LearnerView):
            seen = family.learner_observation_space
        ActionView(family.action_space)
        if config.policy is None:
            policy_name(self._learner, ObservationView(seen).space)

    @property
    def steps(self) -> int:
        """Steps in each learning history."""
        return self.config.steps

    @property
    def streams_per_task(self) -> int:
        """Learning histories of each task."""
        return self.config.num_envs

    def record(self, tasks: Tasks, recorder: "HistoryRecorder", *, seed: int) -> None:
        """Train a learner on one task and record it.

        Raises:
            ConfigError, SpaceError: if the algorithm refuses its settings or this environment.
        """
        env = self.family.vector_env(tasks.repeat(self.config.num_envs), device="cpu")
        try:
            train(self.config, self._learner, env, seed=seed, recorder=recorder)
        finally:
            env.close()


def train(
    config: SB3Config,
    learner: type[BaseAlgorithm],
    env: TaskVectorEnv,
    *,
    seed: int,
    recorder: "HistoryRecorder | None" = None,
) -> BaseAlgorithm:
    """Train a learner for `config.steps` steps of each environment, recorded or not."""
    notes = Notes(env.num_envs)
    recorded = None if recorder is None else RecordedVectorEnv(env, recorder, notes.columns)
    vec_env: VecEnv = TaskVecEnv(
        env if recorded is None else recorded, learner_view=config.learner_view
    )
    if config.normalize:
        vec_env = normalized(vec_env)
    with own_globals():
        model = make_model(
            learner, vec_env, seed=seed % 2**31, policy=config.policy, settings=config.settings
        )
        notes.follow(model)
        callback = None if recorded is None else RecordingCallback(recorded)
        with blamed_settings(learner):
            model.learn(config.steps * env.num_envs, callback=callback)
    if recorded is not None:
        recorded.finish()
    return model


class Notes:
    """What is recorded beside each step: the learner's progress."""

    def __init__(self, rows: int) -> None:
        self._model: BaseAlgorithm | None = None
        self._gradient_steps = 0
        self._columns = {"update": torch.zeros(rows, dtype=torch.int64)}

    def follow(self, model: BaseAlgorithm) -> None:
        """Follow this learner."""
        self._model, self._gradient_steps = model, model._n_updates
        if isinstance(model, OnPolicyAlgorithm):
            self._columns["log_probability"] = torch.full_like(
                self._columns["update"], torch.nan, dtype=torch.float32
            )

    def columns(self) -> Mapping[str, Tensor]:
        """The columns of the step that is being taken.

        SB3 counts gradient steps; an update here is a change of the policy between two steps.
        """
        assert self._model is not None
        if self._model._n_updates != self._gradient_steps:
            self._gradient_steps = self._model._n_updates
            self._columns["update"] = self._columns["update"] + 1
        return self._columns


class RecordingCallback(BaseCallback):
    """Tells the recorded environment what SB3 knows of its action, and ends learning when the
    history is full.
    """

    def __init__(self, env: RecordedVectorEnv) -> None:
        super().__init__()
        self._env = env

    def _on_step(self) -> bool:
        log_probabilities = self.locals.get("log_probs")
        if log_probabilities is not None:
            self._env.note(log_probability=log_probabilities.detach().cpu())
        return not self._env.is_full
