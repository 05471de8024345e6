"""Learning: a Stable-Baselines3 model in training, as every learner of icrl is shown and kept."""

import json
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from icrl.checkpoints import check_settings
from icrl.errors import DamagedFileError
from icrl.interruption import postponed_interrupts
from icrl.progress import Advance
from icrl.run import Run
from icrl.sb3.algorithms import blamed_settings
from icrl.sb3.checkpoints import counters, load_counters, load_model, model_tensors

LOGGED = 200
"""How many times a run logs its scalars, at most: between two of them lies at least one rollout."""


def learn(
    model: BaseAlgorithm,
    run: Run,
    *,
    steps: int,
    settings: Mapping[str, Any] | None = None,
    description: str = "learning",
) -> None:
    """Train a model to `steps` environment steps in all, or the next whole rollout.

    The run shows a progress bar with the mean return of the last episodes, gets the scalars that
    SB3 logs, and keeps a checkpoint, from which a killed run goes on: with the same weights,
    optimisers, schedules and statistics, but fresh episodes, and a replay buffer that is filled
    anew, up to the model's `learning_starts`, before it is learned from. Ctrl-C writes a checkpoint
    and stops. SB3 draws from the global generators: call it within `own_globals`.

    Args:
        model: a model on its environment.
        run: where logs and checkpoints go.
        steps: steps of all environments together.
        settings: plain data; a checkpoint that was written with others is refused. The algorithm,
            `steps` and the number of environments are always among them.
        description: what the progress bar says.

    Raises:
        ConfigError: if the checkpoint was written with other settings, or the model stops because
            its settings do not fit its environment.
        DamagedFileError: if it is no checkpoint of such a model.
    """
    training = Training(model, run, steps, settings or {})
    training.resume()
    if model.num_timesteps < steps:
        done = model.num_timesteps
        model.set_logger(Logger(None, [_RunWriter(run)]))
        with (
            run.progress(steps, description, done=done, unit="step") as advance,
            postponed_interrupts() as interrupted,
        ):
            callback = _Following(training, advance, interrupted)
            with blamed_settings(type(model)):
                model.learn(
                    steps - done,
                    callback=callback,
                    log_interval=None,  # type: ignore[arg-type]
                    reset_num_timesteps=False,
                )
    training.save(model.num_timesteps)


class Training:
    """A model in training, with all that is needed to go on."""

    def __init__(
        self, model: BaseAlgorithm, run: Run, steps: int, settings: Mapping[str, Any]
    ) -> None:
        self.model, self.run, self.steps = model, run, steps
        ours = {"algorithm": type(model).__name__, "steps": steps, "num_envs": model.n_envs}
        self._settings = json.loads(json.dumps(ours | dict(settings)))  # as a file gives them back

    def save(self, step: int) -> None:
        """Write a checkpoint of a step."""
        state = {"settings": self._settings, "counters": counters(self.model)}
        self.run.save_checkpoint(step, model_tensors(self.model), state)

    def resume(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        found = self.run.load_checkpoint()
        if found is None:
            return
        step, tensors, state = found
        path = self.run.checkpoint_path
        check_settings(path, state.get("settings"), self._settings)
        try:
            load_model(self.model, tensors)
            load_counters(self.model, state["counters"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise DamagedFileError(
                f"{path} is no checkpoint of this agent: {error}. "
                "Delete it to train from the beginning."
            ) from error
        self.model.num_timesteps = step
        # Else the episodes after each checkpoint would be those of the beginning.
        generator = self.run.generator(f"after {step} steps")
        self.model.set_random_seed(int(torch.randint(2**31 - 1, (), generator=generator)))


class _RunWriter(KVWriter):
    """Hands the scalars that SB3 would show in TensorBoard on to a run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0
    ) -> None:
        scalars = {
            name: float(value)
            for name, value in key_values.items()
            if isinstance(value, Real) and "tensorboard" not in (key_excluded.get(name) or ())
        }
        if scalars:
            self._run.log(step, scalars)

    def close(self) -> None:
        """Nothing to close."""


class _Following(BaseCallback):
    """Moves the progress bar, logs, and writes checkpoints between two updates."""

    def __init__(
        self, training: Training, advance: Advance, interrupted: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._training, self._advance, self._interrupted = training, advance, interrupted
        self._shown = self._logged = self._updated = training.model.num_timesteps
        self._refill = _Refill(training.model) if self._updated else None

    def _on_rollout_start(self) -> None:
        self._updated = self.model.num_timesteps
        if self._updated >= self._logged + math.ceil(self._training.steps / LOGGED):
            self._log()
        if self._training.run.checkpoint_due():
            self._training.save(self._updated)

    def _on_step(self) -> bool:
        moved = min(self.model.num_timesteps, self._training.steps) - self._shown
        self._shown += moved
        self._advance(moved)
        if self._interrupted():
            # Of this rollout nothing has been learned yet.
            self._training.save(self._updated)
            raise KeyboardInterrupt
        return True

    def _on_rollout_end(self) -> None:
        if self._refill is not None:
            self._refill()

    def _on_training_end(self) -> None:
        if self._refill is not None:
            self._refill.end()
        self._log()

    def _log(self) -> None:
        self._logged = self.model.num_timesteps
        episodes = self.model.ep_info_buffer
        if episodes:
            self._advance(0, **{"return": float(np.mean([each["r"] for each in episodes]))})
        self.model.dump_logs()


class _Refill:
    """Lets an off-policy model that goes on act before it learns, until its buffer is filled."""

    def __init__(self, model: BaseAlgorithm) -> None:
        self._model = model if isinstance(model, OffPolicyAlgorithm) else None
        if self._model is not None:
            self._gradient_steps, self._model.gradient_steps = self._model.gradient_steps, 0

    def __call__(self) -> None:
        """Let it learn again, once it may."""
        if self._model is None or self._model.replay_buffer is None:
            return
        buffer, rows = self._model.replay_buffer, self._model.n_envs
        if buffer.size() * rows > min(self._model.learning_starts, buffer.buffer_size * rows - 1):
            self.end()

    def end(self) -> None:
        """Let it learn as it was to."""
        if self._model is not None:
            self._model.gradient_steps, self._model = self._gradient_steps, None
