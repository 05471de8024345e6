"""What stands beside weights on disk: an optimiser's state, the settings, the interface."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from icrl.config import Config
from icrl.errors import ConfigError, DamagedFileError
from icrl.files import read_tensors, read_toml, write_tensors

if TYPE_CHECKING:
    from icrl.agent import Agent, Interface

C = TypeVar("C", bound=Config)


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


def save_module(directory: Path, agent: "Agent", module: nn.Module, *, purpose: str) -> None:
    """Write an agent whose learning lies in one module: `config.toml`, `interface.json` and
    `weights.safetensors`, of which `purpose` says what they are.
    """
    agent.config.save(directory / "config.toml")
    agent.interface.save(directory / "interface.json")
    metadata = {"purpose": purpose, "settings": " ".join(agent.config.to_dict())}
    write_tensors(directory / "weights.safetensors", module.state_dict(), metadata)


def saved_settings(directory: Path, config_class: type[C]) -> tuple[C, "Interface"]:
    """The settings and the interface that `save_module` wrote.

    Raises:
        ConfigError, DamagedFileError: naming the file.
    """
    from icrl.agent import Interface

    path = directory / "config.toml"
    _, metadata = read_tensors(
        directory / "weights.safetensors", required_metadata=("purpose", "settings")
    )
    settings = read_toml(path)
    missing = [name for name in metadata["settings"].split() if name not in settings]
    if missing:  # a file cut off at the end of a line is still TOML
        raise DamagedFileError(f"{path} lacks {', '.join(missing)}.")
    config = config_class.from_dict(settings, where=str(path))
    return config, Interface.load(directory / "interface.json")


def load_saved(directory: Path, module: nn.Module) -> None:
    """Give a module the weights that `save_module` wrote.

    Raises:
        DamagedFileError: if they are another module's.
    """
    path = directory / "weights.safetensors"
    try:
        module.load_state_dict(read_tensors(path)[0])
    except RuntimeError as error:
        raise DamagedFileError(
            f"{path} does not fit the settings and spaces beside it: {error}"
        ) from error
