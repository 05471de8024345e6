"""Trained agents: those that a run wrote, and those that packages ship."""

from pathlib import Path
from typing import Any

import torch

from icrl.agent import Agent, OfflineAgent, OnlineAgent
from icrl.devices import find_device
from icrl.errors import DamagedFileError, PluginError, UsageError
from icrl.files import read_json
from icrl.plugins import AgentSpec, Provided, blamed, load_entry_point
from icrl.plugins.lookup import provided
from icrl.plugins.shipped import run_directory

TRAINED = "trained.json"
"""Written when an agent has learned all that it was to learn."""


def load_agent(run: str | Path, device: str | torch.device = "cpu") -> Agent:
    """A trained agent, whose `policy()` acts.

    Args:
        run: a directory that `icrl run` or `icrl train` wrote, or `AGENT:FAMILY` for weights that
            the agent's package ships: `"ad:icrl/DarkRoom-v0"`.
        device: where it acts: `"cpu"`, `"cuda"`, `"auto"`.

    Raises:
        UsageError: if there is neither such a directory nor such weights.
        DamagedFileError: naming the file that is missing or damaged.
    """
    directory = run_directory(run) / "agent"
    if not directory.is_dir():
        raise UsageError(
            f"{run} holds no run: there is no {directory}. Give a directory that `icrl run` or "
            "`icrl train` wrote, or AGENT:FAMILY for weights that a package ships."
        )
    data = read_json(_finished(directory))
    name = data.get("agent") if isinstance(data, dict) else None
    if not isinstance(name, str):
        raise DamagedFileError(f"{directory / TRAINED} does not say which agent learned.")
    return loaded(provided("agents", name), directory, find_device(str(device)))


def load_agent_class(agent: Provided[AgentSpec]) -> type[Agent]:
    """The class behind an agent's spec.

    Raises:
        PluginError: if it is no agent, or not of the sort that its spec says.
    """
    spec = agent.spec
    with blamed(agent.record, f"loading {spec.name}"):
        agent_class = load_entry_point(spec.entry_point)
    expected = {"histories": OfflineAgent, "interaction": OnlineAgent}.get(spec.learns, Agent)
    if not (isinstance(agent_class, type) and issubclass(agent_class, expected)):
        raise PluginError(
            f"{agent.record.owner} says that {spec.name} learns from {spec.learns}, but "
            f"{spec.entry_point} is no {expected.__name__}."
        )
    return agent_class


def loaded(agent: Provided[AgentSpec], directory: Path, device: Any) -> Agent:
    """The agent that a directory holds.

    Raises:
        DamagedFileError: naming the file that is missing or damaged.
    """
    agent_class = load_agent_class(agent)
    _finished(directory)
    with blamed(agent.record, f"loading {directory}"):
        return agent_class.load(directory, device)


def _finished(directory: Path) -> Path:
    """The file that says that an agent has learned."""
    if not (directory / TRAINED).exists():
        raise DamagedFileError(
            f"{directory} holds no finished agent: its training was interrupted. Run the command "
            "again that wrote it."
        )
    return directory / TRAINED
