"""The index of known plugins, `registry.toml`: which package provides which name."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

REGISTRY = Path(__file__).parent.parent / "registry.toml"
"""Shipped inside the package; the repository's top-level `registry.toml` is a link to it."""


@dataclass(frozen=True)
class KnownPlugin:
    """One entry of the registry, as far as a running host needs it."""

    name: str
    """The distribution."""
    summary: str
    provides: dict[str, tuple[str, ...]]
    """Names by kind: `families`, `agents`, `sources`."""


@cache
def known_plugins() -> tuple[KnownPlugin, ...]:
    """All entries of the registry."""
    entries: list[dict[str, Any]] = tomllib.loads(REGISTRY.read_text(encoding="utf-8")).get(
        "plugin", []
    )
    return tuple(
        KnownPlugin(
            entry["name"],
            entry.get("summary", ""),
            {kind: tuple(names) for kind, names in entry.get("provides", {}).items()},
        )
        for entry in entries
    )


def distribution_of(kind: str, name: str) -> str | None:
    """The distribution that provides a name of a kind, according to the registry."""
    for plugin in known_plugins():
        if name in plugin.provides.get(kind, ()):
            return plugin.name
    return None
