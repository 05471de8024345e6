"""What settings an agent gets: those of its presets, of its name, of a file, of flags."""

import importlib

import pytest

from icrl.cli.options import parse
from icrl.cli.settings import companion_config, completed, configs, default_config
from icrl.errors import ConfigError
from icrl.plugins import AgentSpec, Provided, plugin_host
from icrl.plugins.lookup import provided

CONFIG = """
from dataclasses import dataclass
from icrl.config import Config

@dataclass(frozen=True, kw_only=True)
class Settings(Config):
    width: int = 2
    depth: int = 3
    link: str = "none"
"""
PRESETS = """
["*".default]
width = 5
link = "mean"

["*".smoke]
depth = 7
"""


@pytest.fixture
def known(tmp_path, monkeypatch):
    """Makes `known(name, **settings)` an agent of a package with presets."""
    folder = tmp_path / "packages" / "named_agents"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "config.py").write_text(CONFIG)
    (folder / "presets.toml").write_text(PRESETS)
    monkeypatch.syspath_prepend(folder.parent)
    importlib.invalidate_caches()
    record = provided("agents", "random").record

    def add(name: str, presets: str | None = "named_agents:presets.toml", **settings):
        spec = AgentSpec(
            name=name,
            entry_point="named_agents.learning:Agent",
            config="named_agents.config:Settings",
            presets=presets,
            settings=settings,
        )
        monkeypatch.setitem(plugin_host().agents, name, Provided(spec, record))
        return plugin_host().agents[name]

    return add


def options_of(name, *words):
    return completed(parse(["run", name, "CartPole-v1", *words]))


def test_what_a_name_stands_for_is_laid_over_the_presets(known):
    agent = known("average", link="average")
    usual = default_config(options_of("average"), "agent", agent)
    assert (usual.width, usual.depth, usual.link) == (5, 3, "average")
    smoke = default_config(options_of("average", "--budget", "smoke"), "agent", agent)
    assert (smoke.depth, smoke.link) == (7, "average")


def test_a_name_that_stands_for_nothing_has_the_presets(known):
    assert default_config(options_of("plain"), "agent", known("plain")).link == "mean"


def test_a_name_without_presets_still_stands_for_its_settings(known):
    agent = known("bare", presets=None, link="max")
    found = default_config(options_of("bare"), "agent", agent)
    assert (found.width, found.link) == (2, "max")


def test_a_file_wins_over_the_name(known, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[agent]\nlink = "median"\n')
    options = options_of("average", "--config", str(path))
    assert default_config(options, "agent", known("average", link="average")).link == "median"


def test_a_flag_wins_over_the_name(known):
    agent = known("average", link="average")
    config, _ = configs(options_of("average", "--agent.link", "product"), agent, None)
    assert config.link == "product"


def test_a_setting_of_a_name_that_does_not_exist_is_refused(known):
    with pytest.raises(ConfigError, match=r"the presets of wrong.*glue"):
        default_config(options_of("wrong"), "agent", known("wrong", glue="average"))


@pytest.mark.parametrize("settings", [{}, {"link": "max"}])
def test_a_companion_keeps_what_its_name_stands_for(known, settings):
    """What the user said of the agent holds for it, but for that."""
    agent, control = known("main", **settings), known("control", link="average")
    options = options_of("main", "--agent.depth", "11", "--agent.link", "product")
    config, _ = configs(options, agent, None)
    beside = companion_config(options, control, config)
    assert (beside.depth, beside.link) == (11, "average")
