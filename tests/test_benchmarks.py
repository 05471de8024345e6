"""What is said to have been measured is what the benchmarks' results hold."""

import inspect
import json
import re

import pytest

from icrl.plugins import load_entry_point, plugin_host

WRAPPED = [
    provided.spec
    for _, provided in sorted(plugin_host().families.items())
    if "wrapped" in provided.spec.tags
]


@pytest.fixture(scope="module")
def measured(repository):
    """What random actions earned in each wrapped family."""
    path = repository / "benchmarks" / "results" / "random_returns.json"
    return {name: each["mean"] for name, each in json.loads(path.read_text())["returns"].items()}


def rounded(value, stated):
    """A figure with as many decimals as the one that is stated."""
    return round(value, len(stated.partition(".")[2]))


@pytest.mark.parametrize("spec", WRAPPED, ids=lambda spec: spec.id)
def test_the_readme_states_the_random_return_that_was_measured(spec, measured, repository):
    readme = (repository / "packages" / "icrl-envs" / "README.md").read_text(encoding="utf-8")
    (stated,) = re.findall(rf"^\| `{spec.id}` \|.* \| (\S+) \|$", readme, re.M)
    assert float(stated) == rounded(measured[spec.id], stated)


@pytest.mark.parametrize("spec", WRAPPED, ids=lambda spec: spec.id)
def test_a_datasheet_states_the_random_return_that_was_measured(spec, measured):
    """Unless its class has many ids."""
    datasheet = inspect.getdoc(load_entry_point(spec.entry_point))
    stated = re.findall(r"measured to earn (-?\d+)", " ".join(datasheet.split()))
    assert bool(stated) != ("env" in spec.arguments)
    for figure in stated:
        assert float(figure) == rounded(measured[spec.id], figure)


def test_pendulums_datasheet_states_what_planning_with_its_dynamics_earned(repository):
    path = repository / "benchmarks" / "results" / "informed_planning.json"
    earned = json.loads(path.read_text())["returns"]["icrl/Pendulum-v0"]
    spec = plugin_host().families["icrl/Pendulum-v0"].spec
    datasheet = " ".join(inspect.getdoc(load_entry_point(spec.entry_point)).split())
    pattern = r"measured to earn (-?\d+) in train, (-?\d+) in moderate and (-?\d+) in extreme"
    (stated,) = re.findall(pattern, datasheet)
    measured = [earned[split]["mean"] for split in ("train", "moderate", "extreme")]
    assert [int(figure) for figure in stated] == [round(mean) for mean in measured]
