"""Specs: the plain data by which plugins say what they provide; what they name is loaded late."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class FamilySpec:
    """A family that a plugin provides. Only `id` and `entry_point` are required."""

    id: str
    """The Gymnasium id, `icrl/DarkRoom-v0`."""
    entry_point: str
    """`module:Class` of the `TaskFamily`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments that this id fixes as its defaults; the user's win."""
    vector_entry_point: str | None = None
    """`module:function`, called as `(num_envs, device, split, **arguments)`; None: derived."""
    summary: str = ""
    """One line."""
    paper: str = ""
    """Where the definition comes from: `arXiv:2210.14215`."""
    default_source: str | None = None
    """The source that collects this family's histories when none is named."""
    tags: tuple[str, ...] = ()
    """Free words: `native`, `pixels`, `continuous`."""


@dataclass(frozen=True, kw_only=True)
class AgentSpec:
    """An agent that a plugin provides. Only `name` and `entry_point` are required."""

    name: str
    """What the command line calls it."""
    entry_point: str
    """`module:Class` of the `Agent`."""
    config: str | None = None
    """`module:Class` of its `Config`, in a module without torch; None: it has no settings."""
    presets: str | None = None
    """`package:file.toml` with settings by family and budget; see `icrl.config.presets`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What sets this name apart from others of the same class: settings that are laid over the
    presets, so that several names share one file of them; the user's win.
    """
    learns: Literal["histories", "interaction", "nothing"] = "nothing"
    """What it learns from."""
    memory: Literal["none", "episode", "trial"] = "none"
    """How long its policy's context lasts; a report says by it what can be learned in context."""
    trained: Mapping[str, str] = field(default_factory=dict)
    """Weights that the package ships, by family: `package:folder` of a run's directory, in which
    lie `agent/run.toml`, `agent/trained.json` and what the agent saves.
    """
    companions: tuple[str, ...] = ()
    """What `icrl run` puts beside it: agents' names, and the words `source` and `optimum`."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """Families (by id) that it truly cannot serve, each with the reason."""
    summary: str = ""
    """One line."""
    paper: str = ""
    """Where the method comes from."""


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """A source that a plugin provides. Only `name` and `entry_point` are required."""

    name: str
    """What the command line calls it."""
    entry_point: str
    """`module:Class` of the `Source`."""
    config: str | None = None
    """`module:Class` of its `Config`, in a module without torch; None: it has no settings."""
    presets: str | None = None
    """`package:file.toml` with settings by family and budget; see `icrl.config.presets`."""
    summary: str = ""
    """One line."""
    paper: str = ""
    """Where the method comes from."""
