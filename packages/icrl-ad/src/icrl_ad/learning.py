"""Learning: imitate recorded learners, window by window."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from icrl.agent import Interface, OfflineAgent
from icrl.checkpoints import (
    check_settings,
    load_optimizer,
    load_saved,
    optimizer_tensors,
    save_module,
    saved_settings,
    under,
)
from icrl.errors import DamagedFileError, DeviceError
from icrl.interruption import postponed_interrupts
from icrl.nn import initial_weights
from icrl.run import Run
from icrl_ad.config import DistillationConfig
from icrl_ad.model import DistillationModel
from icrl_ad.policy import DistillationPolicy

if TYPE_CHECKING:
    from icrl.histories.store import HistoryStore
    from icrl.histories.windows import WindowSampler

PURPOSE = "weights of icrl-ad"
LOGGED = 100
"""How many times a run logs its loss."""
START_FACTOR = 1 / 25


class DistillationAgent(OfflineAgent):
    """Algorithm Distillation; with `last_part` small, Expert Distillation."""

    config: DistillationConfig

    def __init__(
        self, config: DistillationConfig, interface: Interface, device: torch.device
    ) -> None:
        super().__init__(config, interface, device)
        self.model = self._new_model(torch.Generator().manual_seed(0))

    def learn(self, histories: "HistoryStore", run: Run) -> None:
        """Imitate; a killed run goes on from its last checkpoint, on one machine to the last bit.

        Raises:
            SpaceError: if the histories were recorded with other spaces.
        """
        self.interface.check_recorded(histories.manifest.interface)
        self.model = self._new_model(run.generator("weights"))
        training = Training(self.model, self.config, self.device, run)
        done = training.resume()
        sampler = histories.window_sampler(
            device=self.device,
            every=self.config.every,
            part=(1 - self.config.last_part, 1.0),
            from_start=self.config.opening_share,
        )
        with (
            run.progress(self.config.updates, "learning", done=done, unit="update") as advance,
            postponed_interrupts() as interrupted,
        ):
            for update in range(done, self.config.updates):
                loss = training.update(update, sampler)
                advance(1, **({} if loss is None else {"loss": loss}))
                if interrupted() or run.checkpoint_due():
                    training.save(update + 1)
                if interrupted():
                    raise KeyboardInterrupt
        training.save(self.config.updates)

    def policy(self, *, argmax: bool = False) -> DistillationPolicy:
        """The policy as learned so far."""
        return DistillationPolicy(self.model, "argmax" if argmax else self.config.decoding)

    def save(self, directory: Path) -> None:
        """Write `config.toml`, `interface.json` and `weights.safetensors`."""
        save_module(Path(directory), self, self.model, purpose=PURPOSE)

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError, DamagedFileError: naming the file.
        """
        agent = cls(*saved_settings(Path(directory), DistillationConfig), device)
        load_saved(Path(directory), agent.model)
        return agent

    def _new_model(self, generator: torch.Generator) -> DistillationModel:
        with initial_weights(generator):
            model = DistillationModel(
                self.config, self.interface.observation_space, self.interface.action_space
            )
        return model.to(self.device)


class Training:
    """A model in training, with all that is needed to go on exactly."""

    def __init__(
        self, model: DistillationModel, config: DistillationConfig, device: torch.device, run: Run
    ) -> None:
        self.config = config
        self.run = run
        self.model = model
        self.fabric = Fabric(
            accelerator=device.type,
            devices=[device.index or 0] if device.type == "cuda" else 1,
            precision=config.precision,
        )
        self.optimizer = torch.optim.AdamW(
            parameter_groups(model, config.weight_decay),
            lr=config.learning_rate,
            betas=(0.9, config.beta2),
            fused=True,
        )
        self.wrapped, self.wrapped_optimizer = self.fabric.setup(model, self.optimizer)
        self.generators = {
            purpose: run.generator(purpose, device) for purpose in ("windows", "dropout")
        }
        self.losses: list[Tensor] = []

    def update(self, number: int, sampler: "WindowSampler") -> float | None:
        """One gradient step on fresh windows; where it is time to log it, the mean loss."""
        config = self.config
        assert config.batch is not None and config.window is not None  # `adapted` has filled them
        windows = sampler.windows(config.batch, config.window, generator=self.generators["windows"])
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_factor(number, config)
        self.model.encoder.observe(windows.timesteps)
        logits = self.wrapped(vars(windows.timesteps), self.generators["dropout"])
        loss = self.model.loss(logits, windows.action, windows.mask, config.label_smoothing)
        self.wrapped_optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(
            self.wrapped, self.wrapped_optimizer, max_norm=config.clip, error_if_nonfinite=False
        )
        self.wrapped_optimizer.step()
        self.losses.append(loss.detach())
        return self._log(number + 1)

    def _log(self, done: int) -> float | None:
        if done % max(1, self.config.updates // LOGGED) and done < self.config.updates:
            return None
        mean = float(torch.stack(self.losses).mean())
        self.losses.clear()
        rate = self.optimizer.param_groups[0]["lr"]
        self.run.log(done, {"loss": mean, "learning_rate": rate})
        return mean

    def save(self, done: int) -> None:
        """Write all that going on needs."""
        tensors = {
            **{f"model/{name}": tensor for name, tensor in self.model.state_dict().items()},
            **{f"optimizer/{name}": tensor for name, tensor in optimizer_tensors(self.optimizer)},
            **{f"generator/{name}": g.get_state() for name, g in self.generators.items()},
            "losses": torch.stack(self.losses) if self.losses else torch.zeros(0),
        }
        state = {"settings": self.config.to_dict(), "device": self.fabric.device.type}
        self.run.save_checkpoint(done, tensors, state)

    def resume(self) -> int:
        """Go back to the last checkpoint, if there is one; how many updates it has seen.

        Raises:
            ConfigError: if it was written with other settings.
            DeviceError: if it was written on another kind of device.
            DamagedFileError: if it is no checkpoint of this agent.
        """
        found = self.run.load_checkpoint()
        if found is None:
            return 0
        done, tensors, state = found
        path = self.run.checkpoint_path
        check_settings(path, state.get("settings"), self.config.to_dict())
        if state.get("device") != self.fabric.device.type:
            raise DeviceError(
                f"{path} was written on {state.get('device')}, and generators cannot move to "
                f"{self.fabric.device.type}. Go on with --device {state.get('device')}, or begin "
                "anew in another --out."
            )
        try:
            self.model.load_state_dict(under("model", tensors))
            load_optimizer(self.optimizer, under("optimizer", tensors))
            for name, generator in self.generators.items():
                generator.set_state(tensors[f"generator/{name}"])
            self.losses = list(tensors["losses"].to(self.fabric.device))
        except (KeyError, RuntimeError, ValueError) as error:
            raise DamagedFileError(
                f"{path} is no checkpoint of this agent: {error}. "
                "Delete it to train from the beginning."
            ) from error
        return done


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """AdamW's groups: matrices decay, vectors (biases, norms) do not."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def learning_rate_factor(update: int, config: DistillationConfig) -> float:
    """What the peak learning rate is multiplied with in update `update`, counted from 0.

    One cycle (Smith and Topin 2018, arXiv:1708.07120) as a function of the update alone, so that
    nothing about it has to be saved.
    """
    rising = config.warmup * config.updates
    if update < rising:
        return _cosine(START_FACTOR, 1.0, update / rising)
    if config.schedule == "constant":
        return 1.0
    return _cosine(1.0, config.final_learning_rate, (update - rising) / (config.updates - rising))


def _cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2
