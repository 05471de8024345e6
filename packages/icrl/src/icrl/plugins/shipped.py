"""Trained agents that packages ship, found without torch."""

from importlib.resources import files
from pathlib import Path

from icrl.errors import UsageError
from icrl.plugins.host import plugin_host
from icrl.plugins.lookup import provided


def run_directory(run: str | Path) -> Path:
    """The directory of a run, or of `AGENT:FAMILY`, which a package ships.

    Raises:
        UsageError: if there is none, saying what is shipped.
    """
    path, (name, _, family) = Path(run), str(run).partition(":")
    if path.exists() or not family:
        return path
    place = provided("agents", name).spec.trained.get(family)
    if place is None:
        known = ", ".join(shipped()) or "none"
        raise UsageError(
            f"no package ships {name} trained on {family}. Shipped: {known}. Train it with: "
            f"icrl train {name} {family} --out DIR"
        )
    package, _, folder = place.partition(":")
    return Path(str(files(package) / folder))


def shipped() -> list[str]:
    """All `AGENT:FAMILY` whose weights are installed."""
    agents = plugin_host().agents.values()
    return sorted(f"{each.spec.name}:{family}" for each in agents for family in each.spec.trained)
