"""Models that were trained before: found, checked, and told to the settings."""

from dataclasses import replace
from pathlib import Path

import torch

from icrl.agent import Interface
from icrl.checkpoints import saved_settings
from icrl.errors import ConfigError, ContextError, SpaceError
from icrl.plugins.shipped import run_directory
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.model_free.config import ModelFreeConfig, most_past

DYNAMICS = "dynamics"
"""The folder within an agent's that holds the model of its context."""


def given_dynamics(
    config: ModelFreeConfig, interface: Interface, device: torch.device
) -> CaDMAgent | None:
    """The agent that `pretrained` names; None if it names none.

    Raises:
        ConfigError: if there is no such directory, or its model has no context of the latest
            transitions.
        ContextError: if that is of more transitions than an episode has.
        UsageError: if no package ships such weights.
        SpaceError: if it was trained on another family, or with other spaces.
        DamagedFileError: naming the file.
    """
    if config.pretrained is None or config.context != "cadm":
        return None
    directory = run_directory(config.pretrained).resolve()
    if (directory / "agent").is_dir():
        directory = directory / "agent"
    if not (directory / "config.toml").exists():
        raise ConfigError(
            f"pretrained is {config.pretrained!r}, but there is no {directory / 'config.toml'}. "
            "Give a directory that `icrl train cadm` (or another agent of icrl-cadm that plans) "
            "wrote, or AGENT:FAMILY for weights that a package ships."
        )
    if of_openings(directory) or of_openings(directory.parent):
        raise ConfigError(
            f"{directory} holds PPO + EP or its model, which embeds the first transitions of an "
            "episode, not the latest. Give a run of cadm, vanilla-cadm, pets-cadm or rebal."
        )
    if (directory / DYNAMICS).is_dir():
        raise ConfigError(
            f"{directory} holds PPO beside a context, not a CaDM. The model of its context is in "
            f"{directory / DYNAMICS}: give that."
        )
    dynamics = CaDMAgent.load(directory, device)
    _check(dynamics, interface, directory)
    return dynamics


def with_dynamics(config: ModelFreeConfig, dynamics: CaDMAgent) -> ModelFreeConfig:
    """The settings with those of a model that was trained before.

    Raises:
        ConfigError: if `past` was given and is another than the model's.
    """
    past = dynamics.config.past
    if config.past not in (None, past):
        raise ConfigError(
            f"past is {config.past}, but the model of {config.pretrained} infers its context of "
            f"{past} transitions. Leave past out."
        )
    return replace(config, past=past, dynamics=dynamics.config)


def of_openings(directory: Path) -> bool:
    """Whether an agent's directory holds a model that embeds the first transitions of episodes."""
    if not (directory / DYNAMICS).is_dir() or not (directory / "config.toml").exists():
        return False
    return saved_settings(directory, ModelFreeConfig)[0].embeds_openings


def _check(dynamics: CaDMAgent, interface: Interface, directory: Path) -> None:
    theirs = dynamics.interface
    if theirs.family != interface.family:
        raise SpaceError(
            f"the model in {directory} was trained on {theirs.family}, not on {interface.family}. "
            "Give one of the same family, or leave pretrained out."
        )
    for what in ("observation_space", "action_space"):
        ours, other = getattr(interface, what), getattr(theirs, what)
        if ours != other:
            raise SpaceError(
                f"the model in {directory} was trained with the {what.replace('_', ' ')} {other}, "
                f"and {interface.family} now has {ours}. Give one with the same spaces, or leave "
                "pretrained out."
            )
    if dynamics.config.context not in ("encoded", "recurrent"):
        raise ConfigError(
            f"the model in {directory} infers no context: its setting context is "
            f"{dynamics.config.context!r}. Give one of cadm, vanilla-cadm, pets-cadm or rebal."
        )
    past, longest = dynamics.config.past, interface.max_episode_steps
    assert past is not None  # `adapted` has filled it
    if longest is not None and past > most_past(longest):
        raise ContextError(
            f"the model in {directory} infers its context of {past} transitions, and an episode "
            f"of {longest} steps has {longest - 1} before its last. Give one with less past, or "
            "leave pretrained out."
        )
