"""PluginHost: loads each entry point of the group `icrl` on its own and keeps a record of what
became of it.

pluggy's own loader is not used: it stops at the first plugin that fails to import, takes an entry
point's bare name as its key (so that the second of two equal names vanishes without a word), and
turns a hook that this host does not know yet into an error of all.
"""

import os
import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Generic, Literal, TypeVar

import pluggy

from icrl.errors import IcrlError, PluginError, PluginWarning
from icrl.plugins.hooks import Hooks
from icrl.plugins.specs import AgentSpec, FamilySpec, SourceSpec

API_VERSION = 1
"""The plugin API of this host. A plugin states the one it was written for as `ICRL_API` (default
1).
"""

GROUP = "icrl"

Spec = TypeVar("Spec", FamilySpec, AgentSpec, SourceSpec)


@dataclass(frozen=True)
class Kind:
    """A kind of thing that plugins provide."""

    word: str
    """How a message names one of them."""
    hook: str
    spec: type
    name: str
    """The attribute of the spec by which it is found."""


KINDS = {
    "families": Kind("family", "icrl_families", FamilySpec, "id"),
    "agents": Kind("agent", "icrl_agents", AgentSpec, "name"),
    "sources": Kind("source", "icrl_sources", SourceSpec, "name"),
}
_CORE = ("core", "icrl")
_NAME = re.compile(r"[^\s,]+")
_LAZY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass
class Record:
    """What became of one entry point."""

    distribution: str
    version: str
    entry_point: str
    """Its name within its distribution."""
    value: str
    """The module that it names."""
    status: Literal["ok", "failed", "blocked"] = "ok"
    error: str = ""
    """Why it failed, or by what it was blocked; empty if it is ok."""
    hooks: tuple[str, ...] = ()
    """The hooks that it implements."""
    unknown_hooks: tuple[str, ...] = ()
    """Hooks that this host does not know: the plugin was written for a newer icrl, or a name is
    misspelt.
    """
    provides: dict[str, list[str]] = field(default_factory=dict)
    """The names that it provides, by kind: `{"agents": ["ad", "ed"]}`."""

    @property
    def key(self) -> str:
        """`distribution:entry point`, which no two plugins share."""
        return f"{self.distribution}:{self.entry_point}"

    @property
    def owner(self) -> str:
        """How a message names the plugin: its distribution and version."""
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Provided(Generic[Spec]):
    """A spec, and the plugin that it came from."""

    spec: Spec
    record: Record


class PluginHost:
    """All plugins of one process.

    `ICRL_PLUGINS` (a comma-separated list) allows, `ICRL_BLOCK` blocks, before anything is
    imported: entry points by name, by distribution, or by `distribution:name`. The core's own entry
    point needs no allowing. `ICRL_STRICT=1` raises what a plugin raises.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.records: list[Record] = []
        self.families: dict[str, Provided[FamilySpec]] = {}
        self.agents: dict[str, Provided[AgentSpec]] = {}
        self.sources: dict[str, Provided[SourceSpec]] = {}
        self._environ = environ
        self._plugins = pluggy.PluginManager(GROUP)
        self._plugins.add_hookspecs(Hooks)
        self._lock = threading.RLock()
        self._loaded = False

    def load(self) -> None:
        """Load what is installed, once; a plugin that asks meanwhile sees what stands so far."""
        with self._lock:
            if self._loaded:
                return
            self._loaded = True
            for record, entry_point in _installed():
                self.records.append(record)
                blocked_by = self._blocked_by(record)
                if blocked_by:
                    record.status, record.error = "blocked", blocked_by
                else:
                    with self._contained(record):
                        self._add(record, entry_point.load())
        for record in self.records:
            if record.status == "failed":
                _warn(record)

    def disable(self, record: Record, error: BaseException) -> None:
        """Take back all that a plugin provides, because of an error that its record then shows."""
        if self._environ.get("ICRL_STRICT") == "1":
            raise error
        self._fail(record, error)
        _warn(record)

    def table(self, kind: str) -> dict[str, Provided[Any]]:
        """What is provided of a kind (`families`, `agents` or `sources`), by name."""
        tables: dict[str, dict[str, Provided[Any]]] = {
            "families": self.families,
            "agents": self.agents,
            "sources": self.sources,
        }
        return tables[kind]

    @contextmanager
    def _contained(self, record: Record) -> Iterator[None]:
        # A plugin that calls sys.exit() while it is imported must not end its host either.
        try:
            yield
        except (Exception, SystemExit) as error:
            if self._environ.get("ICRL_STRICT") == "1":
                raise
            self._fail(record, error)

    def _add(self, record: Record, plugin: Any) -> None:
        """Register a plugin and take over its specs: all of them or none."""
        version = getattr(plugin, "ICRL_API", 1)
        if version != API_VERSION:
            advice = (
                "a newer icrl"
                if isinstance(version, int) and version > API_VERSION
                else "a newer release of it"
            )
            raise PluginError(
                f"it was written for plugin API {version!r}, this is {API_VERSION}: it needs "
                f"{advice}"
            )
        self._plugins.register(plugin, record.key)
        callers = self._plugins.get_hookcallers(plugin) or []
        record.hooks = tuple(sorted(caller.name for caller in callers if caller.has_spec()))
        record.unknown_hooks = tuple(
            sorted(caller.name for caller in callers if not caller.has_spec())
        )
        collected = {kind: self._collect(record, kind) for kind in KINDS}
        for kind, specs in collected.items():
            self.table(kind).update({name: Provided(spec, record) for name, spec in specs.items()})
        record.provides = {kind: sorted(specs) for kind, specs in collected.items() if specs}

    def _collect(self, record: Record, kind: str) -> dict[str, Any]:
        """One plugin's specs of one kind, checked."""
        hook, spec_type = KINDS[kind].hook, KINDS[kind].spec
        specs: dict[str, Any] = {}
        for implementation in getattr(self._plugins.hook, hook).get_hookimpls():
            if implementation.plugin_name != record.key:
                continue
            returned = implementation.function()
            if not isinstance(returned, list | tuple):
                raise PluginError(
                    f"{hook} returned {returned!r}, expected a list of {spec_type.__name__}"
                )
            for spec in returned:
                name = _checked_name(spec, KINDS[kind])
                other = self.table(kind).get(name)
                if name in specs or other is not None:
                    first = other.record if other is not None else record
                    raise PluginError(
                        f"the {KINDS[kind].word} {name!r} is already provided by "
                        f"{first.key} {first.version}"
                    )
                specs[name] = spec
        return specs

    def _fail(self, record: Record, error: BaseException) -> None:
        record.status, record.provides = "failed", {}
        message = " ".join(str(error).split())
        known = isinstance(error, PluginError)
        record.error = message if known else f"{type(error).__name__}: {message}".rstrip(": ")
        for kind in KINDS:
            table = self.table(kind)
            for name in [name for name, provided in table.items() if provided.record is record]:
                del table[name]
        if self._plugins.has_plugin(record.key):
            self._plugins.unregister(name=record.key)

    def _blocked_by(self, record: Record) -> str:
        names = {record.entry_point, record.distribution, record.key}
        if names & _names(self._environ.get("ICRL_BLOCK", "")):
            return "named in ICRL_BLOCK"
        allowed = self._environ.get("ICRL_PLUGINS")
        if (
            allowed is not None
            and (record.entry_point, record.distribution) != _CORE
            and not names & _names(allowed)
        ):
            return "not named in ICRL_PLUGINS"
        return ""


_host = PluginHost()


def plugin_host() -> PluginHost:
    """The process's plugin host, loaded."""
    _host.load()
    return _host


@contextmanager
def blamed(record: Record, doing: str) -> Iterator[None]:
    """Turn what a plugin's code raises by mistake into a `PluginError` that names its release.

    What icrl raises on purpose passes, and so do a full disk and an exhausted memory, which are no
    plugin's fault.
    """
    try:
        yield
    except (IcrlError, OSError, MemoryError):
        raise
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported here
            raise
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise PluginError(f"{record.owner} failed while {doing}: {reason}") from error


def _installed() -> list[tuple[Record, metadata.EntryPoint]]:
    """The entry points of the group: the core's, then the others by name and distribution.

    Of stale duplicates, such as an old editable install beside a new wheel, only the first on the
    path counts.
    """
    found: dict[tuple[str, str], tuple[Record, metadata.EntryPoint]] = {}
    for entry_point in metadata.entry_points(group=GROUP):
        distribution, version = "unknown", "unknown"
        if entry_point.dist is not None:
            facts = entry_point.dist.metadata
            distribution = re.sub(r"[-_.]+", "-", facts["Name"] or "unknown").lower()
            version = facts["Version"] or "unknown"
        record = Record(distribution, version, entry_point.name, entry_point.value)
        found.setdefault((record.entry_point, record.distribution), (record, entry_point))
    return [found[key] for key in sorted(found, key=lambda key: (key != _CORE, key))]


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


def _checked_name(spec: Any, kind: Kind) -> str:
    """The name of a spec; refuses what is no spec of that kind, or could not be used."""
    if not isinstance(spec, kind.spec):
        raise PluginError(
            f"{kind.hook} returned {spec!r} in its list, expected {kind.spec.__name__}"
        )
    name = getattr(spec, kind.name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PluginError(f"its {kind.word} is called {name!r}; a name has no spaces and no commas")
    for attribute in ("entry_point", "vector_entry_point", "config"):
        value = getattr(spec, attribute, None)
        if value is not None and not (isinstance(value, str) and _LAZY.fullmatch(value)):
            raise PluginError(
                f"{attribute} of its {kind.word} {name!r} is {value!r}, expected 'module:attribute'"
            )
    return name


def _warn(record: Record) -> None:
    reason = record.error.rstrip(".")
    warnings.warn(
        f"the plugin {record.entry_point!r} of {record.owner} is disabled: {reason}. "
        f"`icrl plugins` shows all; ICRL_BLOCK={record.entry_point} silences this.",
        PluginWarning,
        stacklevel=3,
    )
