"""The benchmark of RL²'s tables: how it judges, and that its result is what is said of it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from icrl.plugins import make_family

REPOSITORY = Path(__file__).parents[1]
RESULT = json.loads((REPOSITORY / "benchmarks/results/rl2_tables.json").read_text(encoding="utf-8"))
README = (REPOSITORY / "plugins/icrl-classic/README.md").read_text(encoding="utf-8")
NAMES = ("bandits", "mdps")
CELLS = {(c["setting"], c["baseline"]): c for name in NAMES for c in RESULT[name]["cells"]}


@pytest.fixture
def rl2_tables(scripts):
    """The script as a module."""
    import rl2_tables

    return rl2_tables


def test_a_cell_is_judged_by_the_errors_of_both_means(rl2_tables):
    """10,000 returns of deviation 1 and a paper's 1,000: 2 sqrt(1/10,000 + 1/1,000) = 0.0663."""
    import rl2_cells

    earned = torch.tensor([0.0, 2.0], dtype=torch.float64).repeat(5000)
    near, far = rl2_cells.judged(earned, 1.066), rl2_cells.judged(earned, 1.067)
    assert (near["mean"], near["standard_error"], near["tolerance"]) == (1, 0.01, 0.066)
    assert (near["within"], far["within"]) == (True, False)


def test_a_cell_without_noise_is_judged_by_a_share(rl2_tables):
    import rl2_cells

    earned = torch.full((10_000,), 200.0, dtype=torch.float64)
    judged = [rl2_cells.judged(earned, published)["within"] for published in (203.0, 203.1)]
    assert judged == [True, False]


def test_settings_are_searched_on_training_tasks_alone(rl2_tables, monkeypatch):
    """Here the largest epsilon is best in training, and worst in the test."""
    import rl2_cells
    import rl2_mdps

    played = []

    def returns(family, agent, settings, episodes, *, num_tasks, split, **_):
        epsilon = settings["epsilon"]
        played.append((split, epsilon))
        worth = epsilon if split == "train" else 1 - epsilon
        return torch.full((num_tasks, len(episodes)), worth, dtype=torch.float64)

    monkeypatch.setattr(rl2_cells, "returns", returns)
    readings = {"ε-greedy": rl2_mdps.READINGS["ε-greedy"][:1]}
    table = replace(rl2_mdps.TABLE, readings=readings)
    amounts = rl2_cells.Amounts(test=7, search=5)
    cells = rl2_cells.measured_cells(table, "ε-greedy", [0, 1], amounts)
    assert [cell["readings"][0]["settings"]["epsilon"] for cell in cells] == [0.3, 0.3]
    assert [epsilon for split, epsilon in played if split == "test"] == [0.3]


@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_cells_are_those_that_the_script_measures(name, rl2_tables):
    table, cells = rl2_tables.TABLES[name], RESULT[name]["cells"]
    settings = range(len(table.settings))
    places = [(place, baseline) for place in settings for baseline in table.readings]
    for (place, baseline), cell in zip(places, cells, strict=True):
        readings = table.readings[baseline]
        assert (cell["setting"], cell["baseline"]) == (table.settings[place].name, baseline)
        assert cell["paper"] == table.published[baseline][place]
        for recorded, reading in zip(cell["readings"], readings, strict=False):
            assert (recorded["reading"], recorded["agent"]) == (reading.name, reading.agent)
            assert recorded["settings"] in [{**reading.fixed, **found} for found in reading.grid]
        assert cell["readings"][-1]["within"] or len(cell["readings"]) == len(readings)


def test_enough_cells_agree_on_enough_tasks(rl2_tables):
    assert min(RESULT[name]["test_tasks"] for name in NAMES) >= 10_000
    assert RESULT["summary"] == rl2_tables.summarised(list(CELLS.values()))
    assert RESULT["summary"]["share_within"] >= rl2_tables.GATE


def test_what_does_not_agree_is_explained_by_another_reading():
    assert all(cell["within"] or cell["within_another_reading"] for cell in CELLS.values())


def test_the_readme_has_every_cell_as_it_was_measured():
    stated = {}
    for line in README.splitlines():
        columns = [column.strip() for column in line.strip("|").split("|")]
        if columns[:2] == ["", "random"]:
            baselines = columns[1:]
        elif re.match(r"\d+ (pulls|episodes)", columns[0]):
            for baseline, text in zip(baselines, columns[1:], strict=True):
                stated[columns[0], baseline] = re.fullmatch(r"([\d.]+) \(([\d.]+)\)( \\\*)?", text)
    assert stated.keys() == CELLS.keys()
    for place, found in stated.items():
        ours, paper, mark = found.groups()
        cell, half_a_digit = CELLS[place], 0.5 * 10.0 ** -len(ours.partition(".")[2])
        measured = cell["readings"][0]["mean"]
        assert float(ours) == pytest.approx(measured, rel=0, abs=half_a_digit + 1e-9), place
        assert (float(paper), bool(mark)) == (cell["paper"], not cell["within"]), place
    summary = RESULT["summary"]
    assert f"{summary['within']} of {summary['cells']} do" in README


@pytest.mark.parametrize(
    ("name", "baseline"),
    [(name, cell["baseline"]) for name in NAMES for cell in RESULT[name]["cells"][:7]],
)
def test_what_was_recorded_comes_out_on_other_tasks(name, baseline, rl2_tables):
    """The first line of each table, on 1,000 tasks of another seed."""
    import rl2_cells

    table = rl2_tables.TABLES[name]
    setting = table.settings[0]
    recorded = CELLS[setting.name, baseline]["readings"][0]
    earned = rl2_cells.returns(
        make_family(setting.family, **setting.arguments),
        recorded["agent"],
        recorded["settings"],
        [setting.episodes],
        num_tasks=1000,
        split="test",
        seed=7,
        rows_at_once=1000,
    )
    error = (float(earned.var()) / 1000 + recorded["standard_error"] ** 2) ** 0.5
    assert float(earned.mean()) == pytest.approx(recorded["mean"], abs=4.5 * error)
