"""What the package provides: specs whose classes, settings and presets are there."""

import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from gymnasium.spaces import Discrete, MultiDiscrete

import icrl_classic
from icrl.agent import Interface
from icrl.config import presets
from icrl.plugins import load_entry_point
from icrl_classic.agent import ClassicAgent
from icrl_classic.finite import FiniteSpace
from icrl_classic.plugin import icrl_agents

SPECS = icrl_agents()
README = Path(icrl_classic.__file__).parents[2] / "README.md"


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_spec_names_an_agent_with_its_settings(spec):
    agent = load_entry_point(spec.entry_point)
    assert issubclass(agent, ClassicAgent)
    assert agent.config_class is load_entry_point(spec.config)
    assert (spec.learns, spec.memory) == ("nothing", "trial")


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.presets], ids=lambda s: s.name)
@pytest.mark.parametrize("budget", ["smoke", "default", "full"])
def test_every_preset_can_be_used(spec, budget):
    package, name = spec.presets.split(":")
    text = files(package).joinpath(name).read_text()
    interface = Interface(Discrete(1), Discrete(3), 20, "test/Bandit", {})
    for family in (None, *tomllib.loads(text)):
        config = load_entry_point(spec.config).from_dict(presets(text, family, budget))
        config.adapted(interface)


def test_the_readme_has_every_agent():
    text = README.read_text(encoding="utf-8")
    assert not [spec.name for spec in SPECS if f"\n| `{spec.name}` | " not in text]


def test_specs_and_settings_load_without_torch():
    code = (
        "import icrl_classic.plugin, icrl_classic.config, icrl_classic.tabular_config, sys; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("space", "size"),
    [(Discrete(5, start=-2), 5), (MultiDiscrete([2, 3], start=[1, 7]), 6), (MultiDiscrete([7]), 7)],
)
def test_the_elements_of_a_finite_space_are_numbered_without_gaps(space, size):
    finite = FiniteSpace(space, "cpu")
    numbers = torch.arange(size)
    elements = finite.element(numbers)
    assert finite.size == size
    assert all(space.contains(element.numpy()) for element in elements)
    assert torch.equal(finite.number(elements), numbers)


def test_the_last_number_of_a_product_counts_fastest():
    elements = FiniteSpace(MultiDiscrete([2, 3]), "cpu").element(torch.arange(6))
    assert elements.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
