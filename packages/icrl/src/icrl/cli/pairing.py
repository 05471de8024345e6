"""Pairing: an agent, a family and a source by their names, with all settings resolved."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from icrl.cli.options import Options
from icrl.cli.output import say
from icrl.cli.settings import completed, configs, family_arguments, source_of
from icrl.config import Config
from icrl.errors import SpaceError
from icrl.plugins import AgentSpec, Provided, SourceSpec, make_family
from icrl.plugins.lookup import provided

if TYPE_CHECKING:
    import torch

    from icrl.families import TaskFamily


@dataclass(frozen=True)
class Pairing:
    """What a command that learns works with."""

    options: Options
    """Completed: seed, budget and device are there."""
    device: "torch.device"
    family: "TaskFamily"
    agent: Provided[AgentSpec] | None
    """None where a command needs no agent."""
    agent_config: Config
    source: Provided[SourceSpec] | None
    """None where no histories are to be collected."""
    source_config: Config

    @property
    def seed(self) -> int:
        """The seed of everything."""
        return self.options.seed or 0

    @property
    def budget(self) -> str:
        """How much work was asked for."""
        return self.options.budget or "default"


def resolve(options: Options, arguments: Mapping[str, Any] | None = None) -> Pairing:
    """Find everything by name and check all settings, before anything is written.

    Args:
        options: what the command was given.
        arguments: keywords of the family that flags and file overrule.

    Raises:
        UsageError: for an unknown name, a setting that cannot be, a device that is not there, a
        pairing that the
            agent refuses.
    """
    options = completed(options)
    agent = provided("agents", options.agent) if options.agent is not None else None
    source = source_of(options, agent)
    agent_config, source_config = configs(options, agent, source)
    arguments = {**(arguments or {}), **family_arguments(options)}

    from icrl.agent import Interface
    from icrl.devices import find_device

    device = find_device(options.device or "auto")
    family = make_family(options.family or "", **arguments)
    if hasattr(family, "note"):
        say(options, family.note)
    if agent is not None:
        check_served(agent.spec, family)
        given, agent_config = agent_config, agent_config.adapted(Interface.of(family))
        _say_adapted(options, agent.spec.name, given, agent_config, family)
    if source is not None:
        source_config = source_config.adapted(Interface.of(family))
    name = source.spec.name if source is not None else None
    options = dataclasses.replace(options, source=name, device=str(device))
    return Pairing(options, device, family, agent, agent_config, source, source_config)


def check_served(spec: AgentSpec, family: "TaskFamily") -> None:
    """Refuse a pairing that the agent's spec refuses."""
    if family.id in spec.refuses:
        raise SpaceError(f"{spec.name} cannot serve {family.id}: {spec.refuses[family.id]}")


def _say_adapted(
    options: Options, name: str, given: Config, adapted: Config, family: "TaskFamily"
) -> None:
    """Say what defaults became that depend on the horizon."""
    changed = list(_changed(given, adapted))
    if changed:
        horizon = family.max_episode_steps
        limit = f"episodes of at most {horizon} steps" if horizon else "episodes without a limit"
        say(options, f"{name} adapts to {limit}: {', '.join(changed)}.")


def _changed(given: Config, adapted: Config, within: str = "") -> Iterator[str]:
    """What adapting filled in, field by field, as `name = value`; settings within settings too."""
    for field in dataclasses.fields(given):
        before, after = getattr(given, field.name), getattr(adapted, field.name)
        if isinstance(before, Config):
            yield from _changed(before, after, f"{within}{field.name}.")
        elif before != after:
            yield f"{within}{field.name} = {after}"
