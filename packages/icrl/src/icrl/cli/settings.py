"""Settings of an agent, a source and a family, from presets, a `--config` file and flags, in that
order.
"""

import dataclasses
import importlib.resources
import inspect
import json
from collections.abc import Mapping
from typing import Any

from icrl.cli.flags import json_values, parse_flags
from icrl.cli.options import Options
from icrl.cli.output import say
from icrl.config import Config, presets
from icrl.errors import ConfigError, UsageError
from icrl.files import read_toml
from icrl.plugins import AgentSpec, Provided, SourceSpec, blamed, load_entry_point, plugin_host
from icrl.plugins.families import family_keywords
from icrl.plugins.lookup import provided

_TABLES = ("run", "agent", "source", "env")
_RUN_KEYS = ("source", "seed", "budget", "device", "num_tasks")
_ONLY_RECORDED = ("agent", "family", "command", "icrl", "histories")


def completed(options: Options) -> Options:
    """The options with what a `--config` file says, and the defaults of what nobody said.

    Raises:
        ConfigError: for unknown tables and keys of the file.
        UsageError: if the file was written by a run of another agent or family.
    """
    table = _tables(options).get("run", {})
    unknown = [key for key in table if key not in _RUN_KEYS + _ONLY_RECORDED]
    if unknown:
        raise ConfigError(
            f"{options.config} has unknown keys in [run]: {', '.join(unknown)}. "
            f"It takes: {', '.join(_RUN_KEYS)}."
        )
    for key in ("agent", "family"):
        ours = getattr(options, key)
        if key in table and ours is not None and table[key] != ours:
            raise UsageError(
                f"{options.config} has settings of the {key} {table[key]!r}, not of {ours!r}. "
                f"Give {table[key]!r}, or another --config."
            )
    from_file = {
        key: table[key] for key in _RUN_KEYS if key in table and getattr(options, key) is None
    }
    options = dataclasses.replace(options, **from_file)
    if options.budget not in (None, "smoke", "default", "full"):
        raise ConfigError(
            f"{options.config} has budget = {options.budget!r}; it is smoke, default or full."
        )
    return dataclasses.replace(
        options,
        seed=options.seed or 0,
        budget=options.budget or "default",
        device=options.device or "auto",
    )


def configs(
    options: Options, agent: Provided[AgentSpec] | None, source: Provided[SourceSpec] | None
) -> tuple[Config, Config]:
    """The settings of the agent and of the source (those of what is None are empty).

    Raises:
        ConfigError: for unknown keys and wrong types in presets and files.
        SystemExit: after a message, for unknown flags and wrong types in them.
    """
    found = {"agent": agent, "source": source}
    settings = {
        group: default_config(options, group, each) if each is not None else Config()
        for group, each in found.items()
    }
    settings |= _parsed(options, settings)
    return settings["agent"], settings["source"]


def companion_config(options: Options, companion: Provided[AgentSpec], beside: Config) -> Config:
    """The settings of an agent that is trained beside another, from its own presets.

    What the user said of the agent holds for a companion with the same settings too, so that a
    smaller `ad` stands beside an `ed` that is just as small; but what sets the companion apart
    (what its name stands for, and a setting that its presets have and the agent's have not) stays.
    """
    config = default_config(options, "agent", companion, own=False)
    if type(config) is not type(beside) or options.agent is None:
        return config
    main = provided("agents", options.agent)
    usual = default_config(options, "agent", main, own=False)
    own = _preset(options, companion).keys() - _preset(options, main).keys()
    own |= companion.spec.settings.keys()
    said = {
        field.name: getattr(beside, field.name)
        for field in dataclasses.fields(beside)
        if getattr(beside, field.name) != getattr(usual, field.name) and field.name not in own
    }
    return dataclasses.replace(config, **said)


def default_config(
    options: Options, group: str, found: Provided[Any], *, own: bool = True
) -> Config:
    """The settings of an agent or a source without flags: its presets, then (`own`) the `--config`
    file's table.
    """
    spec = found.spec
    if spec.config is None:
        return Config()
    with blamed(found.record, f"loading the settings of {spec.name}"):
        config_class = load_entry_point(spec.config)
        chosen = _preset(options, found)
    config = config_class.from_dict(chosen, where=f"the presets of {spec.name}")
    table = _tables(options).get(group, {}) if own else {}
    if table:
        config = config_class.from_dict(
            _merged(chosen, table), where=f"[{group}] of {options.config}"
        )
    return config


def _preset(options: Options, found: Provided[Any]) -> Mapping[str, Any]:
    """What an agent or a source has for the family and the budget: its presets, and what its name
    stands for.
    """
    spec = found.spec
    of_name = dict(spec.settings) if isinstance(spec, AgentSpec) else {}
    if spec.presets is None:
        return of_name
    package, _, name = spec.presets.partition(":")
    text = importlib.resources.files(package).joinpath(name).read_text(encoding="utf-8")
    return presets(text, options.family, options.budget or "default") | of_name


def family_arguments(options: Options) -> dict[str, Any]:
    """The family's keywords, from the file's table `[env]` and from `--env.KEY VALUE`."""
    flags = json_values(options.settings.get("env", []), "--env.")
    return _tables(options).get("env", {}) | flags


def print_settings(options: Options) -> None:
    """Print the settings that a pairing has, with their defaults after presets and file."""
    options = completed(options)
    agent = provided("agents", options.agent) if options.agent is not None else None
    found = {"agent": agent, "source": source_of(options, agent)}
    settings = {
        group: default_config(options, group, each)
        for group, each in found.items()
        if each is not None
    }
    if options.family in plugin_host().families:
        print(f"\nkeywords of {options.family}:")
        for name, parameter in family_keywords(options.family).items():
            hint = (
                ""
                if parameter.annotation is parameter.empty
                else inspect.formatannotation(parameter.annotation)
            )
            default = (
                "required"
                if parameter.default is parameter.empty
                else f"default: {json.dumps(parameter.default)}"
            )
            print(f"  --env.{name} {hint.upper() if hint.isidentifier() else hint}  ({default})")
    if settings:
        print()
        parse_flags(settings, ["--help"], program=_program(options))


def source_of(options: Options, agent: Provided[AgentSpec] | None) -> Provided[SourceSpec] | None:
    """The source that collects, and that stands beside the agent; None if none is needed."""
    beside = options.command == "run" and agent is not None and "source" in agent.spec.companions
    learns = options.command == "collect" or (
        agent is not None and agent.spec.learns == "histories"
    )
    if options.source is not None and options.histories is not None:
        raise UsageError(
            "--histories brings histories and --source collects them. Give one of them."
        )
    if options.source is not None:
        return provided("sources", options.source)
    if options.histories is not None or not (learns or beside):
        return None
    default = default_source(options.family)
    if not learns and default not in plugin_host().sources:
        say(options, f"source is left out of the comparison: {default} is not installed.")
        return None
    return provided("sources", default)


def default_source(family: str | None) -> str:
    """The source that collects a family's histories when none is named."""
    of_family = plugin_host().families.get(family or "")
    return (of_family.spec.default_source if of_family else None) or "sb3"


def _parsed(options: Options, settings: Mapping[str, Config]) -> dict[str, Config]:
    """The settings with what flags say; nothing if there are no flags."""
    words = [word for group in settings for word in options.settings.get(group, [])]
    return parse_flags(settings, words, program=_program(options)) if words else {}


def _program(options: Options) -> str:
    words = ["icrl", options.command, options.agent, options.family]
    return " ".join(word for word in words if word)


def _tables(options: Options) -> dict[str, dict[str, Any]]:
    if options.config is None:
        return {}
    if not options.config.exists():
        raise UsageError(f"there is no file {options.config}. Give --config another.")
    tables = read_toml(options.config)
    unknown = [key for key in tables if key not in _TABLES]
    if unknown:
        raise ConfigError(
            f"{options.config} has unknown tables: {', '.join(unknown)}. "
            "It takes [run], [agent], [source] and [env]."
        )
    return tables


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested tables as one; `above` wins."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
