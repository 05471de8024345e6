"""The plugin host: one broken plugin never takes down the rest."""

import importlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from icrl.errors import PluginError, PluginWarning
from icrl.plugins import PluginHost, Record

GOOD = """
from icrl.plugins import AgentSpec, FamilySpec, SourceSpec, hookimpl

@hookimpl
def icrl_agents():
    return [AgentSpec(name="{name}", entry_point="{module}:Agent")]
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution with one plugin module on the path: `install("icrl-x", "x", code)`."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(distribution: str, entry_point: str, code: str, version: str = "0.3") -> str:
        module = f"{distribution.replace('-', '_')}_{entry_point.replace('-', '_')}_plugin"
        (tmp_path / f"{module}.py").write_text(code.format(name=entry_point, module=module))
        facts = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        facts.mkdir(exist_ok=True)
        (facts / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        with (facts / "entry_points.txt").open("a") as file:
            if not file.tell():
                file.write("[icrl]\n")
            file.write(f"{entry_point} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        importlib.invalidate_caches()
        return module

    return add


def loaded(*allowed: str, **environ: str) -> PluginHost:
    """A host of its own that was allowed these plugins and the core."""
    host = PluginHost({"ICRL_PLUGINS": ",".join(allowed), **environ})
    host.load()
    return host


def record_of(host: PluginHost, distribution: str) -> Record:
    return next(record for record in host.records if record.distribution == distribution)


def test_the_host_finds_what_an_installed_plugin_provides(install):
    install("icrl-good", "good", GOOD)
    host = loaded("icrl-good")
    record = record_of(host, "icrl-good")
    assert host.agents["good"].spec.entry_point == "icrl_good_good_plugin:Agent"
    assert (record.status, record.version, record.hooks) == ("ok", "0.3", ("icrl_agents",))
    assert record.provides == {"agents": ["good"]}


def test_the_core_provides_the_agent_random():
    assert loaded().agents["random"].record.key == "icrl:core"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named"),
        ("raise SystemExit('stop everything')", "SystemExit: stop everything"),
        ("syntax error", "SyntaxError"),
        ("ICRL_API = 2" + GOOD, "written for plugin API 2, this is 1: it needs a newer icrl"),
        ("ICRL_API = 0" + GOOD, "written for plugin API 0, this is 1: it needs a newer release"),
        ("ICRL_API = 'one'" + GOOD, "written for plugin API 'one'"),
        (GOOD.replace("return [", "return 7  # ["), "returned 7, expected a list of AgentSpec"),
        (GOOD.replace("return [", "return ['ad'] + ["), "returned 'ad' in its list"),
        (GOOD.replace('"{name}"', '"a name"'), "'a name'; a name has no spaces"),
        (GOOD.replace("{module}:Agent", "{module}.Agent"), "expected 'module:attribute'"),
        (GOOD.replace("icrl_agents()", "icrl_agents(surplus)"), "surplus"),
    ],
)
def test_a_broken_plugin_becomes_a_record(install, code, error):
    install("icrl-bad", "bad", code)
    install("icrl-good", "good", GOOD)
    with pytest.warns(PluginWarning, match=r"'bad' of icrl-bad 0.3 is disabled"):
        host = loaded("bad", "good")
    assert error in record_of(host, "icrl-bad").error
    assert record_of(host, "icrl-bad").status == "failed"
    assert sorted(host.agents) == ["good", "random"]


def test_a_plugin_that_fails_in_its_second_hook_provides_nothing(install):
    half = GOOD + "\n@hookimpl\ndef icrl_sources():\n    raise KeyError('half way')\n"
    install("icrl-half", "half", half)
    with pytest.warns(PluginWarning, match="half way"):
        host = loaded("half")
    assert "half" not in host.agents
    assert record_of(host, "icrl-half").provides == {}


def test_the_second_plugin_that_claims_a_name_is_refused_naming_the_first(install):
    claim = GOOD.replace("{name}", "wanted")
    install("icrl-one", "one", claim)
    install("icrl-two", "two", claim)
    with pytest.warns(
        PluginWarning, match=r"'two' of icrl-two.*'wanted' is already provided by icrl-one:one 0.3"
    ):
        host = loaded("one", "two")
    assert host.agents["wanted"].record.distribution == "icrl-one"


def test_no_plugin_takes_a_name_from_the_core(install):
    install("icrl-aaa", "aaa", GOOD.replace("{name}", "random"))
    with pytest.warns(PluginWarning, match="'random' is already provided by icrl:core"):
        host = loaded("aaa")
    assert host.agents["random"].record.distribution == "icrl"


def test_one_name_may_be_taken_once_for_each_kind(install):
    both = GOOD + (
        "\n@hookimpl\ndef icrl_sources():\n"
        "    return [SourceSpec(name='{name}', entry_point='{module}:Source')]\n"
    )
    install("icrl-both", "both", both)
    host = loaded("both")
    assert set(host.agents) & set(host.sources) == {"both"}


def test_two_distributions_may_call_their_entry_points_alike(install):
    install("icrl-one", "same", GOOD.replace("{name}", "first"))
    install("icrl-two", "same", GOOD.replace("{name}", "second"))
    assert {"first", "second"} <= set(loaded("same").agents)


def test_of_two_releases_of_one_distribution_only_the_first_counts(install, tmp_path):
    install("icrl-twice", "twice", GOOD, version="0.3")
    install("icrl-twice", "twice", GOOD, version="0.2")
    host = loaded("twice")
    assert [record.status for record in host.records if record.distribution == "icrl-twice"] == [
        "ok"
    ]


@pytest.mark.parametrize("name", ["good", "icrl-good", "icrl-good:good"])
def test_a_blocked_plugin_is_never_imported(install, name):
    module = install("icrl-good", "good", GOOD)
    host = loaded("good", ICRL_BLOCK=f"other, {name}")
    assert record_of(host, "icrl-good").status == "blocked"
    assert record_of(host, "icrl-good").error == "named in ICRL_BLOCK"
    assert module not in sys.modules


def test_what_the_allow_list_does_not_name_is_never_imported(install):
    module = install("icrl-good", "good", GOOD)
    host = loaded("another")
    assert record_of(host, "icrl-good").error == "not named in ICRL_PLUGINS"
    assert module not in sys.modules


def test_strict_raises_what_a_plugin_raises(install):
    install("icrl-bad", "bad", "import no_such_module_at_all")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        loaded("bad", ICRL_STRICT="1")


def test_a_hook_that_the_host_does_not_know_is_reported(install):
    newer = GOOD + "\n@hookimpl\ndef icrl_planners():\n    return []\n"
    install("icrl-newer", "newer", newer)
    host = loaded("newer")
    assert record_of(host, "icrl-newer").unknown_hooks == ("icrl_planners",)
    assert "newer" in host.agents


def test_a_plugin_is_loaded_once_by_many_threads(install):
    install("icrl-slow", "slow", "import time\ntime.sleep(0.05)\n" + GOOD)
    host = PluginHost({"ICRL_PLUGINS": "slow"})
    threads = [threading.Thread(target=host.load) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.distribution for record in host.records].count("icrl-slow") == 1
    assert "slow" in host.agents


def test_a_plugin_that_asks_the_host_while_it_is_loaded_sees_what_stands(install, monkeypatch):
    asking = "from icrl.plugins import plugin_host\nSEEN = sorted(plugin_host().agents)\n" + GOOD
    module = install("icrl-zzz", "zzz", asking)
    host = PluginHost({"ICRL_PLUGINS": "zzz"})
    monkeypatch.setattr("icrl.plugins.host._host", host)
    host.load()
    assert sys.modules[module].SEEN == ["random"]


def test_disabling_takes_back_all_that_a_plugin_provides(install):
    install("icrl-good", "good", GOOD)
    host = loaded("good")
    with pytest.warns(PluginWarning, match="too late"):
        host.disable(record_of(host, "icrl-good"), PluginError("too late"))
    assert "good" not in host.agents


def test_metadata_without_a_name_breaks_nothing(install, tmp_path):
    install("icrl-nameless", "nameless", GOOD)
    (tmp_path / "icrl_nameless-0.3.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\n")
    host = loaded("nameless")
    assert record_of(host, "unknown").version == "unknown"


def test_discovery_imports_neither_torch_nor_stable_baselines3():
    code = (
        "import json, sys, icrl\n"
        "from icrl.plugins import plugin_host\n"
        "plugin_host()\n"
        "print(json.dumps([m for m in ('torch', 'stable_baselines3') if m in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_importing_icrl_prints_nothing():
    done = subprocess.run([sys.executable, "-c", "import icrl"], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_importing_icrl_offers_every_public_name():
    import icrl

    assert set(icrl.__all__) == set(icrl._HOME_OF)
    assert all(
        getattr(icrl, name).__module__.startswith("icrl")
        for name in icrl.__all__
        if name != "hookimpl"
    )
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        icrl.nothing  # noqa: B018


def test_the_version_is_the_packages():
    import tomllib

    import icrl

    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert icrl.__version__ == tomllib.loads(text)["project"]["version"]
