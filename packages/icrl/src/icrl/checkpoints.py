"""What a checkpoint of training holds beside weights: an optimiser's state, and the settings."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from icrl.errors import ConfigError, DamagedFileError


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose name begins with `prefix/`, by the rest of their name."""
    return {
        name.removeprefix(f"{prefix}/"): tensor
        for name, tensor in tensors.items()
        if name.startswith(f"{prefix}/")
    }


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """What an optimiser knows of each parameter: names `index/moment`, and tensors."""
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if value is not None:  # a momentum that has not begun
                yield f"{index}/{name}", torch.as_tensor(value)


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser what `optimizer_tensors` took from one like it; its settings stay.

    Raises:
        KeyError, ValueError: if they are no optimiser's.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for path, tensor in tensors.items():
        index, _, name = path.partition("/")
        state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def check_settings(path: Path, written: Any, settings: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that was written with other settings than these.

    Args:
        path: the checkpoint.
        written: the settings that stand in it; None: there are none.
        settings: those of now, as plain JSON data.

    Raises:
        ConfigError: naming each setting that differs.
        DamagedFileError: if there are none.
    """
    if not isinstance(written, Mapping):
        raise DamagedFileError(f"{path} is no checkpoint of this agent. Delete it.")
    other = [key for key in {**settings, **written} if settings.get(key) != written.get(key)]
    if other:
        what = ", ".join(f"{key} = {written.get(key)}, now {settings.get(key)}" for key in other)
        raise ConfigError(
            f"{path} was written with other settings ({what}). "
            "Train with the same settings, or into another directory."
        )
