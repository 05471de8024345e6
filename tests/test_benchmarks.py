"""What is said to have been measured is what the benchmarks' results hold."""

import inspect
import json
import re
from statistics import mean, stdev

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


CADM_TABLES = {
    ("icrl/Pendulum-v0", "40,000 steps"): {},
    ("icrl/CartPole-v0", "40,000 steps"): {},
    ("icrl/Pendulum-v0", "500,000 steps, rewards divided"): {
        "normalize_rewards": True,
        "clip_values": False,
        "limits_terminate": False,
        "value": 0.5,
    },
    ("icrl/Pendulum-v0", "500,000 steps"): {},
    ("icrl/Pendulum-v0", "2,000,000 steps"): {"steps": 2_000_000},
    ("icrl/CartPole-v0", "500,000 steps"): {},
}
"""CaDM's tables in its README, and what sets their runs apart from the paper's settings, but for
the precision in which they planned."""
ON_TWO_CORES = {"particles": 5, "candidates": 40, "elites": 10, "refinements": 3}


@pytest.fixture(scope="module")
def cadm(repository):
    """The rows of each table in CaDM's README by its heading, and what the benchmark found."""
    readme = (repository / "packages" / "icrl-cadm" / "README.md").read_text(encoding="utf-8")
    tables: dict[tuple[str, ...], list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\|$\n)+", readme, re.M):
        head, _, *rows = (
            [cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()
        )
        if heading := re.fullmatch(r"`(icrl/\S+)`, (.*)", head[0]):
            tables[heading.groups()] = rows
    found = json.loads((repository / "benchmarks" / "results" / "cadm_tables.json").read_text())
    return tables, found


def written(values):
    """Returns over seeds as a README writes them."""
    return f"{mean(values):.0f}" + (f" ± {stdev(values):.0f}" if len(values) > 1 else "")


def as_written(cell):
    """A row of what the benchmark found: how many seeds, ours and the paper's in each split."""
    papers = {split: "{:.0f} ± {:.0f}".format(*each) for split, each in cell["paper"].items()}
    shown = [f"{written(ours)} ({papers[split]})" for split, ours in cell["returns"].items()]
    return [str(len(cell["seeds"])), *shown]


def apart(found):
    """What sets a cell or a gate apart, but for the precision; None where nothing was run."""
    if (overrides := found.get("overrides")) is None:
        return None
    return {name: value for name, value in overrides.items() if name != "precision"}


@pytest.mark.parametrize(("table", "overrides"), CADM_TABLES.items(), ids=str)
def test_cadms_readme_states_every_row_that_was_run(table, overrides, cadm):
    tables, found = cadm
    smaller = (
        {"pe-ts": ON_TWO_CORES, "pets-cadm": ON_TWO_CORES} if table[1] == "40,000 steps" else {}
    )
    kind = "model-based" if table[1] == "40,000 steps" else "model-free"
    cells = {
        cell["agent"]: as_written(cell)
        for cell in found["cells"]
        if (cell["family"], cell["table"], apart(cell))
        == (table[0], kind, {**smaller.get(cell["agent"], {}), **overrides})
    }
    stated = {row[0]: row[1:] for row in tables[table]}
    for agent, cell in cells.items():
        title = "`ppo-cadm` without a context (PPO)" if agent == "ppo" else f"`{agent}`"
        assert stated.pop(title) == cell, agent
    assert not [title for title in stated if title.startswith("`")]


@pytest.mark.parametrize(("table", "overrides"), CADM_TABLES.items(), ids=str)
def test_cadms_readme_states_what_a_context_adds(table, overrides, cadm):
    tables, found = cadm
    base = "vanilla-dm" if table[1] == "40,000 steps" else "ppo"
    gates = [
        gate
        for gate in found["gates"]
        if (gate["family"], gate["base"], apart(gate)) == (table[0], base, overrides)
    ]
    shown = [
        "{:.0f} ({:.0f} ± {:.0f}): {}".format(
            gate["ours"][0], *gate["paper"], "reached" if gate["reached"] else "missed"
        )
        for gate in gates
    ]
    stated = {row[0]: row[1:] for row in tables[table]}
    assert stated["what the context adds"] == [str(len(gates[0]["seeds"])), *shown]


@pytest.mark.parametrize("family", ["icrl/Pendulum-v0", "icrl/CartPole-v0"])
def test_cadms_readme_states_what_planning_with_the_true_dynamics_earned(family, cadm, repository):
    path = repository / "benchmarks" / "results" / "informed_planning.json"
    earned = json.loads(path.read_text())["returns"][family]
    stated = {row[0]: row[1:] for row in cadm[0][family, "40,000 steps"]}
    shown = [f"{earned[split]['mean']:.0f}" for split in ("train", "moderate", "extreme")]
    assert stated["planning with the true dynamics"] == ["", *shown]
