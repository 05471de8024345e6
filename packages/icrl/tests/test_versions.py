"""Versions: what histories and results were made with."""

from importlib.metadata import version

from icrl.plugins import plugin_host
from icrl.versions import stack_versions


def test_every_installed_plugin_has_its_version() -> None:
    found = stack_versions()
    assert plugin_host().records
    assert all(found[each.distribution] == each.version for each in plugin_host().records)


def test_what_all_stand_on_has_its_version() -> None:
    names = ("gymnasium", "numpy", "sb3-contrib", "stable-baselines3", "torch")
    assert {name: version(name) for name in names}.items() <= stack_versions().items()


def test_the_order_is_that_of_the_names() -> None:
    assert list(stack_versions()) == sorted(stack_versions())
