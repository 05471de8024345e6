"""What plugins provide, by name, and what to do about a name that none provides."""

import difflib
from collections.abc import Iterable
from typing import Any

from icrl.errors import UnknownAgentError, UnknownFamilyError, UnknownNameError, UnknownSourceError
from icrl.plugins.host import KINDS, Provided, plugin_host
from icrl.plugins.registry import distribution_of, known_plugins
from icrl.plugins.specs import AgentSpec, FamilySpec, SourceSpec

_ERRORS: dict[str, type[UnknownNameError]] = {
    "families": UnknownFamilyError,
    "agents": UnknownAgentError,
    "sources": UnknownSourceError,
}
_MOST_LISTED = 12


def provided(kind: str, name: str) -> Provided[Any]:
    """What is installed under a name of a kind (`families`, `agents`, `sources`), and its plugin.

    Raises:
        UnknownAgentError, UnknownFamilyError, UnknownSourceError: with what is installed, the
            nearest name, and the package that provides it.
    """
    table = plugin_host().table(kind)
    if name not in table:
        raise unknown_name(kind, name)
    return table[name]


def agent_spec(name: str) -> AgentSpec:
    """The spec of an installed agent."""
    return provided("agents", name).spec


def source_spec(name: str) -> SourceSpec:
    """The spec of an installed source."""
    return provided("sources", name).spec


def family_spec(id: str) -> FamilySpec:
    """The spec of a family that a plugin provides (`make_family` also takes any Gymnasium id)."""
    return provided("families", id).spec


def unknown_name(kind: str, name: str, others: Iterable[str] = ()) -> UnknownNameError:
    """The error for a name that nothing installed provides; `others` would have been taken too."""
    installed = sorted(plugin_host().table(kind))
    in_registry = [known for plugin in known_plugins() for known in plugin.provides.get(kind, ())]
    parts = [f"no {KINDS[kind].word} is called {name!r}."]
    if kind == "families":
        parts[0] = f"no family and no Gymnasium environment is called {name!r}."
    if len(installed) <= _MOST_LISTED:
        parts.append(f"Installed: {', '.join(installed) or 'none'}.")
    else:
        parts.append(f"`icrl list {kind}` shows the {len(installed)} that are installed.")
    suggestion = (
        name if name in in_registry else _nearest(name, [*installed, *in_registry, *others])
    )
    if suggestion is not None:
        if suggestion != name:
            parts.append(f"Did you mean {suggestion!r}?")
        if suggestion not in installed:
            parts.append(_comes_with(kind, suggestion))
    return _ERRORS[kind](" ".join(part for part in parts if part))


def _nearest(name: str, candidates: Iterable[str]) -> str | None:
    by_lower_case = {candidate.lower(): candidate for candidate in candidates}
    nearest = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[nearest[0]] if nearest else None


def _comes_with(kind: str, name: str) -> str:
    """Where a name comes from that is known, but not usable now."""
    distribution = distribution_of(kind, name)
    if distribution is None:
        return ""
    for record in plugin_host().records:
        if record.distribution == distribution and record.status != "ok":
            return f"It comes with {record.owner}, which is disabled ({record.error})."
    return f"It comes with: pip install {distribution}"
