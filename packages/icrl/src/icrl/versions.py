"""Versions of what histories and results were made with."""

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from icrl.plugins import plugin_host

STACK = ("gymnasium", "icrl", "numpy", "sb3-contrib", "stable-baselines3", "torch")


def stack_versions() -> dict[str, str]:
    """The installed versions of the plugins and of what all stand on, sorted by name."""
    found = {each.distribution: each.version for each in plugin_host().records}
    for name in STACK:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return dict(sorted(found.items()))
