"""What the package provides: specs whose classes, settings and presets are there."""

import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from gymnasium import spaces

import icrl_cadm
from icrl.agent import Interface, OnlineAgent
from icrl.config import presets
from icrl.plugins import AgentSpec, load_entry_point
from icrl_cadm.config import CaDMConfig
from icrl_cadm.plugin import icrl_agents

SPECS = icrl_agents()
PLANNERS = [spec for spec in SPECS if spec.config == "icrl_cadm.config:CaDMConfig"]
README = Path(icrl_cadm.__file__).parents[2] / "README.md"
INTERFACES = {
    "continuous": Interface(spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,)), 200, "x/C-v0", {}),
    "discrete": Interface(spaces.Discrete(7), spaces.Discrete(5), 20, "x/D-v0", {}),
    "without end": Interface(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), None, "x/E-v0", {}),
}


def preset_text(spec: AgentSpec) -> str:
    package, name = str(spec.presets).split(":")
    return files(package).joinpath(name).read_text(encoding="utf-8")


def configured(name: str, budget: str = "default", family: str | None = None) -> CaDMConfig:
    """The settings of a planning agent as the command line puts them together."""
    (spec,) = (spec for spec in PLANNERS if spec.name == name)
    return CaDMConfig.from_dict({**presets(preset_text(spec), family, budget), **spec.settings})


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_spec_names_an_agent_that_learns_by_interaction(spec):
    assert issubclass(load_entry_point(spec.entry_point), OnlineAgent)
    assert (spec.learns, spec.memory) == ("interaction", "episode")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("budget", ["smoke", "default", "full"])
@pytest.mark.parametrize("where", INTERFACES)
def test_every_preset_can_be_used_on_any_space(spec, budget, where):
    text = preset_text(spec)
    for family in (None, *tomllib.loads(text)):
        settings = {**presets(text, family, budget), **spec.settings}
        load_entry_point(str(spec.config)).from_dict(settings).adapted(INTERFACES[where])


PAPERS = {
    "past": 10,
    "future": 10,
    "context_size": 10,
    "encoder": (256, 128, 64),
    "hidden": (200, 200, 200, 200),
    "backward": 0.5,
    "iterations": 20,
    "num_envs": 10,
    "steps_per_iteration": 2000,
    "epochs": 5,
    "batch_size": 256,
    "learning_rate": 1e-3,
    "weight_decay": 1.0,
    "validation": 0.1,
    "planner": "cem",
    "horizon": 30,
    "candidates": 200,
    "elites": 50,
    "refinements": 5,
    "smoothing": 0.1,
}
"""Of Vanilla + CaDM, with continuous actions and episodes of 200 steps."""


def test_the_defaults_are_the_papers():
    adapted = CaDMConfig().adapted(INTERFACES["continuous"])
    assert {name: getattr(adapted, name) for name in PAPERS} == PAPERS


@pytest.mark.parametrize("name", [spec.name for spec in PLANNERS])
def test_the_full_budget_is_the_papers(name):
    """Which are the defaults, for continuous actions; the others are drawn at once."""
    (spec,) = (spec for spec in PLANNERS if spec.name == name)
    for where, family in (("continuous", None), ("discrete", "icrl/CartPole-v0")):
        paper = CaDMConfig.from_dict(dict(spec.settings)).adapted(INTERFACES[where])
        assert configured(name, "full", family).adapted(INTERFACES[where]) == paper


def test_names_stand_for_the_rows_of_the_papers_table():
    """Particles are of all members together."""
    rows = {spec.name: configured(spec.name) for spec in PLANNERS}
    told = {name: (c.context, c.members, c.particles, c.batch_size) for name, c in rows.items()}
    assert told == {
        "cadm": ("encoded", 5, 5, 256),
        "vanilla-dm": ("none", 1, 1, 32),
        "stacked-dm": ("stacked", 1, 1, 32),
        "pe-ts": ("none", 5, 20, 32),
        "vanilla-cadm": ("encoded", 1, 1, 256),
        "pets-cadm": ("encoded", 5, 20, 256),
        "grbal": ("gradient", 1, 1, 32),
        "rebal": ("recurrent", 1, 1, 256),
    }
    assert {name for name, c in rows.items() if c.probabilistic} == {"cadm", "pe-ts", "pets-cadm"}


def test_the_readme_names_every_agent():
    text = README.read_text(encoding="utf-8")
    assert not [spec.name for spec in SPECS if f"`{spec.name}`" not in text]


def test_discovery_imports_nothing_heavy():
    script = (
        "import sys, icrl_cadm.plugin; icrl_cadm.plugin.icrl_agents();"
        "assert not {'torch', 'stable_baselines3', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_settings_are_read_without_torch():
    script = (
        "import sys; from icrl_cadm.config import CaDMConfig; CaDMConfig().to_dict();"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
