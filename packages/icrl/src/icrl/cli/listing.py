"""`icrl list`: what is installed, and what could be."""

import json
from typing import Any

from icrl.cli.options import Options
from icrl.cli.output import print_table
from icrl.plugins.host import KINDS, Provided, plugin_host
from icrl.plugins.registry import known_plugins
from icrl.plugins.shipped import shipped

_FACTS = {
    "families": ("default_source", "summary", "paper"),
    "agents": ("learns", "summary", "paper"),
    "sources": ("summary", "paper"),
}


def main(options: Options) -> None:
    """Print what plugins provide, by kind."""
    kinds = [options.kind] if options.kind else list(KINDS)
    if options.json:
        entries = {kind: [_entry(kind, each) for each in _in_order(kind)] for kind in kinds}
        print(json.dumps(entries, indent=2))
        return
    for kind in kinds:
        columns = (KINDS[kind].word, *_FACTS[kind], "from")
        rows = [_row(kind, each) for each in _in_order(kind)]
        print_table(kind, columns, rows or [("none installed",)])
    if "families" in kinds:
        print("Any other Gymnasium id is a family too: its tasks are seeds.")
    if "agents" in kinds and shipped():
        print(f"Trained already, for `icrl evaluate`: {', '.join(shipped())}.")
    installed = {record.distribution for record in plugin_host().records}
    for plugin in known_plugins():
        names = [name for kind in kinds for name in plugin.provides.get(kind, ())]
        if names and plugin.name not in installed:
            print(f"Not installed: {', '.join(names)}. Comes with: pip install {plugin.name}")


def _in_order(kind: str) -> list[Provided[Any]]:
    return [each for _, each in sorted(plugin_host().table(kind).items())]


def _row(kind: str, each: Provided[Any]) -> tuple[str, ...]:
    facts = (getattr(each.spec, fact) or "" for fact in _FACTS[kind])
    return (getattr(each.spec, KINDS[kind].name), *facts, each.record.owner)


def _entry(kind: str, each: Provided[Any]) -> dict[str, Any]:
    """All that a spec says, as JSON data."""
    facts = {
        name: list(value)
        if isinstance(value, tuple)
        else dict(value)
        if isinstance(value, dict)
        else value
        for name, value in vars(each.spec).items()
    }
    return facts | {"distribution": each.record.distribution, "version": each.record.version}
