"""Names: what is known, what to do about what is not, and families made by their ids."""

import re
import subprocess
import sys
from typing import Literal

import pytest

from icrl.errors import (
    ConfigError,
    PluginError,
    PluginWarning,
    UnknownAgentError,
    UnknownFamilyError,
    UnknownSourceError,
)
from icrl.plugins import (
    FamilySpec,
    PluginHost,
    Provided,
    Record,
    agent_spec,
    blamed,
    family_spec,
    load_entry_point,
    make_family,
    source_spec,
)
from icrl.plugins.registry import KnownPlugin, distribution_of, known_plugins


@pytest.fixture
def host(monkeypatch):
    """The process's host with the core alone, for the time of a test."""
    host = PluginHost({"ICRL_PLUGINS": ""})
    host.load()
    monkeypatch.setattr("icrl.plugins.host._host", host)
    return host


@pytest.fixture
def registry(monkeypatch):
    """A registry with one plugin that is not installed."""
    absent = KnownPlugin("icrl-absent", "", {"agents": ("leep",), "families": ("far/Away-v0",)})
    monkeypatch.setattr("icrl.plugins.lookup.known_plugins", lambda: (absent,))
    monkeypatch.setattr(
        "icrl.plugins.lookup.distribution_of",
        lambda kind, name: "icrl-absent" if name in absent.provides.get(kind, ()) else None,
    )


class Meadow:
    """Stands for a plugin's family."""

    def __init__(
        self,
        size: int = 5,
        wind: float = 0.5,
        kind: Literal["dry", "wet"] = "dry",
        start: tuple[int, int] | None = None,
        flat: bool = True,
    ) -> None:
        self.given = (size, wind, kind, start, flat)
        if size == 13:
            raise ZeroDivisionError("thirteen")


@pytest.fixture
def meadow(host):
    record = Record("icrl-meadow", "0.7", "meadow", "icrl_meadow.plugin")
    spec = FamilySpec(id="far/Meadow-v0", entry_point=f"{__name__}:Meadow", arguments={"size": 7})
    host.families["far/Meadow-v0"] = Provided(spec, record)
    return "far/Meadow-v0"


def test_an_installed_name_is_found(host):
    assert agent_spec("random").entry_point == "icrl.random_agent:RandomAgent"


def test_an_unknown_agent_gets_what_is_installed_and_the_nearest_name(host, registry):
    message = "no agent is called 'rendom'. Installed: random. Did you mean 'random'?"
    with pytest.raises(UnknownAgentError, match=f"^{re.escape(message)}$"):
        agent_spec("rendom")


def test_a_name_of_a_package_that_is_not_installed_gets_the_command_that_installs_it(
    host, registry
):
    with pytest.raises(UnknownAgentError, match="It comes with: pip install icrl-absent"):
        agent_spec("leep")


def test_a_name_near_one_of_a_package_that_is_not_installed_gets_both(host, registry):
    with pytest.raises(UnknownAgentError, match=r"'leep'.* It comes with: pip install icrl-absent"):
        agent_spec("leap")


def test_a_name_of_a_disabled_plugin_gets_the_reason(host, registry):
    failed = Record("icrl-absent", "0.3", "absent", "x", status="failed", error="ImportError: no y")
    host.records.append(failed)
    with pytest.raises(
        UnknownAgentError, match=r"icrl-absent 0.3, which is disabled \(ImportError: no y\)"
    ):
        agent_spec("leep")


@pytest.mark.parametrize(
    ("find", "error"), [(source_spec, UnknownSourceError), (family_spec, UnknownFamilyError)]
)
def test_each_kind_has_its_own_error(host, find, error):
    with pytest.raises(error, match="called 'nothing-like-it'"):
        find("nothing-like-it")


def test_the_registry_knows_the_core():
    assert distribution_of("agents", "random") == "icrl"
    assert {"icrl", "icrl-envs"} <= {plugin.name for plugin in known_plugins()}


def test_a_family_gets_the_ids_arguments_overlaid_with_the_users(meadow):
    family = make_family(meadow, kind="wet", start=[2, 3])
    assert family.given == (7, 0.5, "wet", (2, 3), True)
    assert (family.id, family.arguments) == (meadow, {"size": 7, "kind": "wet", "start": [2, 3]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sise": 3}, "far/Meadow-v0 has no keyword 'sise'. It has: size, wind, kind, start, flat"),
        ({"size": 2.5}, "got size=2.5, expected int"),
        ({"size": True}, "got size=True, expected int"),
        ({"wind": "strong"}, "got wind='strong', expected float"),
        ({"kind": "icy"}, r"got kind='icy', expected Literal\['dry', 'wet'\]"),
        ({"start": 3}, "got start=3, expected tuple"),
        ({"flat": 1}, "got flat=1, expected bool"),
        ({"size": {1}}, "they must be numbers, strings"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(meadow, arguments, message):
    with pytest.raises(ConfigError, match=message):
        make_family(meadow, **arguments)


def test_a_plugins_own_fault_names_its_release(meadow):
    with pytest.raises(PluginError, match=r"icrl-meadow 0.7 failed while making .*thirteen"):
        make_family(meadow, size=13)


def test_an_entry_point_without_the_attribute_is_a_plugins_fault(host):
    with pytest.raises(PluginError, match=r"icrl.tasks has no 'Chores'"):
        load_entry_point("icrl.tasks:Chores")


def test_what_icrl_raises_on_purpose_is_nobodys_fault():
    record = Record("icrl-meadow", "0.7", "meadow", "icrl_meadow.plugin")
    with pytest.raises(ConfigError, match=r"^as meant$"), blamed(record, "trying"):
        raise ConfigError("as meant")


def test_a_full_disk_is_nobodys_fault():
    record = Record("icrl-meadow", "0.7", "meadow", "icrl_meadow.plugin")
    with pytest.raises(OSError, match="No space left"), blamed(record, "writing"):
        raise OSError(28, "No space left on device")


def test_any_gymnasium_id_makes_a_family():
    family = make_family("CartPole-v1", sutton_barto_reward=True)
    assert (family.id, dict(family.arguments)) == ("CartPole-v1", {"sutton_barto_reward": True})


def test_an_id_that_nobody_knows_gets_the_nearest_of_all(host):
    with pytest.raises(UnknownFamilyError, match="Did you mean 'MountainCar-v0'"):
        make_family("MountainCart-v0")


def test_ids_of_plugins_are_registered_with_gymnasium_at_import():
    code = (
        "import gymnasium, icrl\n"
        "from icrl.plugins import plugin_host\n"
        "missing = set(plugin_host().families) - set(gymnasium.registry)\n"
        "raise SystemExit(f'missing {missing}' if missing else 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_id_that_gymnasium_has_already_disables_its_plugin(host):
    from icrl.plugins.gymnasium_ids import register_installed

    record = Record("icrl-thief", "0.1", "thief", "icrl_thief.plugin")
    host.records.append(record)
    spec = FamilySpec(id="CartPole-v1", entry_point="icrl_thief:Cart")
    host.families["CartPole-v1"] = Provided(spec, record)
    with pytest.warns(PluginWarning, match="CartPole-v1 is registered with Gymnasium as"):
        register_installed()
    assert record.status == "failed"
    assert "CartPole-v1" not in host.families
