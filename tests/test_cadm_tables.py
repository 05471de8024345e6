"""The benchmark of CaDM's tables: its arithmetic by hand, what it keeps, and its command."""

import json
from importlib.resources import files

import pytest

from icrl.config import presets

PENDULUM = "icrl/Pendulum-v0"


@pytest.fixture
def cells_module(scripts):
    import cadm_cells

    return cadm_cells


def run(agent, seed, returns, overrides=None, **settings):
    """What a run leaves that earned so much on training, moderate and extreme tasks."""
    splits = dict(zip(("train", "moderate", "extreme"), returns, strict=True))
    return {
        "asked": {
            "family": PENDULUM,
            "agent": agent,
            "seed": seed,
            "overrides": overrides or {},
        },
        "returns": splits,
        "settings": {"horizon": 30, **settings},
        "episodes": dict.fromkeys(splits, 20),
        "steps": 40_000,
        "training_seconds": 60 * (seed + 1),
        "evaluation_seconds": 5,
        "interruptions": 0,
        "hardware": {"cores": 2},
    }


BOTH = [
    run("vanilla-dm", 0, (-400, -900, -1200)),
    run("vanilla-dm", 1, (-500, -1000, -1200)),
    run("vanilla-cadm", 0, (-410, -670, -1100)),
    run("vanilla-cadm", 1, (-490, -690, -1100)),
]


def of(found, agent):
    """The cells of an agent on the pendulum."""
    return [one for one in found if (one["family"], one["agent"]) == (PENDULUM, agent)]


# The paper's numbers.


def test_the_paper_reports_every_agent_of_both_tables_on_every_family(scripts):
    import cadm_paper

    for table, agents in (("model-based", 7), ("model-free", 5)):
        families = cadm_paper.TABLES[table]
        assert [len(rows) for rows in families.values()] == [agents] * 6
    assert {row for t in cadm_paper.TABLES.values() for f in t.values() for row in f} == set(
        cadm_paper.TITLES
    )


def test_what_the_paper_reports_is_told_by_split(scripts):
    import cadm_paper

    assert cadm_paper.reported(PENDULUM, "vanilla-dm") == {
        "train": (-419.2, 95.1),
        "moderate": (-928.4, 56.8),
        "extreme": (-1170.6, 51.3),
    }
    assert cadm_paper.reported("icrl/HalfCheetah-v0", "pets-cadm")["moderate"] == (7087.2, 1495.6)


# Cells.


def test_a_cell_has_mean_and_deviation_over_runs(cells_module):
    (cell,) = of(cells_module.cells(BOTH), "vanilla-dm")
    assert cell["ours"]["train"] == (-450, pytest.approx(70.7))
    assert cell["ours"]["extreme"] == (-1200, 0)
    assert cell["seeds"] == [0, 1]


def test_a_single_run_has_no_deviation(cells_module):
    (cell,) = of(cells_module.cells(BOTH[:1]), "vanilla-dm")
    assert cell["ours"]["train"] == (-400, None)


def test_what_was_not_run_says_so(cells_module):
    found = cells_module.cells(BOTH)
    assert len(found) == 72
    (cell,) = of(found, "grbal")
    assert cell["status"].startswith("not run") and "ours" not in cell
    assert sum(one["status"] == "run" for one in found) == 2


def test_runs_with_other_overrides_are_another_cell(cells_module):
    few = [run("pe-ts", 0, (1, 1, 1), {"particles": 5}), run("pe-ts", 0, (2, 2, 2))]
    found = of(cells_module.cells(few), "pe-ts")
    assert [(one["overrides"], one["ours"]["train"][0]) for one in found] == [
        ({"particles": 5}, 1),
        ({}, 2),
    ]


def test_settings_in_which_seeds_differ_are_left_out(cells_module):
    runs = [run("ppo-cadm", seed, (0, 0, 0), pretrained=f"run {seed}") for seed in (0, 1)]
    assert of(cells_module.cells(runs), "ppo-cadm")[0]["settings"] == {"horizon": 30}


def test_a_context_of_a_model_with_other_settings_makes_another_cell(cells_module):
    paper, other = {"precision": "bfloat16"}, {"precision": "bfloat16", "iterations": 6}
    runs = [
        run("ppo-cadm", seed, (0, 0, 0)) | {"model": {"overrides": held, "seconds": 1}}
        for seed, held in enumerate((paper, paper, other))
    ]
    found = of(cells_module.cells(runs), "ppo-cadm")
    assert [(cell["overrides"], cell["seeds"]) for cell in found] == [
        ({}, [0, 1]),
        ({"dynamics.iterations": 6}, [2]),
    ]


def test_a_cell_tells_what_was_trained_before(cells_module):
    models = [{"agent": "vanilla-cadm", "seed": seed, "seconds": 3600} for seed in (0, 1)]
    runs = [run("ppo-cadm", seed, (0, 0, 0)) | {"model": models[seed]} for seed in (0, 1)]
    found = cells_module.cells(runs)
    assert of(found, "ppo-cadm")[0]["models"] == models
    assert "2 min each, after 60 min for Vanilla+CaDM |" in cells_module.shown(found, [])


@pytest.mark.parametrize(
    ("agent", "reason"),
    [("ppo", "5,000,000 steps"), ("ppo-cadm", "200,000 planned"), ("pe-ts", "200,000 planned")],
)
def test_a_cell_says_why_it_was_not_run(cells_module, agent, reason):
    (cell,) = (
        cell
        for cell in cells_module.cells([])
        if (cell["family"], cell["agent"]) == ("icrl/Ant-v0", agent)
    )
    assert cell["status"].startswith(f"not run: {reason}")


# Gates.


def gate_of(found, split):
    (gate,) = (
        gate
        for gate in found
        if (gate["family"], gate["base"], gate["split"]) == (PENDULUM, "vanilla-dm", split)
    )
    return gate


def test_a_gap_is_what_the_context_earns_more(cells_module):
    gate = gate_of(cells_module.gates(cells_module.cells(BOTH)), "moderate")
    assert gate["ours"] == (270, pytest.approx((70.7**2 + 14.1**2) ** 0.5, abs=0.1))
    assert gate["paper"] == (pytest.approx(334.7), pytest.approx(74.8))


def test_a_gap_within_the_deviation_of_the_paper_is_reached(cells_module):
    """The paper's is 334.7, with sqrt(56.8² + 48.6²) = 74.8: 259.9 are needed."""
    gate = gate_of(cells_module.gates(cells_module.cells(BOTH)), "moderate")
    assert gate["needed"] == pytest.approx(259.9) and gate["reached"]


def test_a_smaller_gap_is_not_reached(cells_module):
    """The paper's is 202.7, with sqrt(51.3² + 83.5²) = 98.0: 104.7 are needed, 100 are there."""
    gate = gate_of(cells_module.gates(cells_module.cells(BOTH)), "extreme")
    assert (gate["ours"][0], gate["status"], gate["reached"]) == (100, "judged", False)


def test_a_gap_of_one_run_is_not_judged(cells_module):
    gate = gate_of(cells_module.gates(cells_module.cells([BOTH[0], *BOTH[2:]])), "moderate")
    assert (gate["status"], gate["reached"]) == ("fewer than 2 runs", False)


def test_a_gap_is_that_of_the_seeds_that_both_have(cells_module):
    """A third run of the base, which failed, opens none."""
    failed = run("vanilla-dm", 2, (-1600, -1600, -1600))
    found = cells_module.cells([*BOTH, failed])
    assert of(found, "vanilla-dm")[0]["seeds"] == [0, 1, 2]
    gate = gate_of(cells_module.gates(found), "extreme")
    assert (gate["ours"][0], gate["seeds"], gate["reached"]) == (100, [0, 1], False)


def test_a_gap_between_other_seeds_is_no_gap(cells_module):
    runs = [*BOTH[:2], *(run("vanilla-cadm", seed, (0, 0, 0)) for seed in (2, 3))]
    assert gate_of(cells_module.gates(cells_module.cells(runs)), "train")["status"] == "not run"


def test_a_gap_between_other_overrides_is_no_gap(cells_module):
    runs = [*BOTH[:2], *(run("vanilla-cadm", s, (0, 0, 0), {"iterations": 3}) for s in (0, 1))]
    assert gate_of(cells_module.gates(cells_module.cells(runs)), "train")["status"] == "not run"


def test_every_gap_is_told_in_every_split(cells_module):
    found = cells_module.gates(cells_module.cells([]))
    assert len(found) == 3 * len(cells_module.GATES)
    assert {gate["status"] for gate in found} == {"not run"}


# What is shown.


def test_tables_show_ours_and_the_papers(cells_module):
    found = cells_module.cells(BOTH)
    text = cells_module.shown(found, cells_module.gates(found))
    assert (
        "| Vanilla DM | -450.0 ± 70.7 (-419.2 ± 95.1) | -950.0 ± 70.7 (-928.4 ± 56.8) | "
        "-1200.0 ± 0.0 (-1170.6 ± 51.3) | 2 of 40,000 steps, 2 min each |"
    ) in text
    assert "| GrBAL | (-726.8 ± 322.6) | (-1027.7 ± 68.1) | (-1048.1 ± 111.8) | not run" in text
    assert (
        f"| {PENDULUM}, Vanilla DM to Vanilla+CaDM | moderate | 270.0 ± 72.1 | 334.7 ± 74.8 | "
        "0 1 | yes |"
    ) in text


@pytest.mark.parametrize("more", [{}, {"horizon": 7}])
def test_overrides_that_go_together_have_one_name(cells_module, more):
    for name, together in cells_module.NAMED.items():
        assert cells_module.named({**together, **more}) == [name, *(["horizon 7"] if more else [])]
    assert cells_module.named({"particles": 5, **more})[0] == "particles 5"


def test_rewards_divided_are_the_default_budgets_settings(cells_module):
    text = files("icrl_cadm").joinpath("presets", "model_free.toml").read_text()
    expected = presets(text, None, "default")
    divided = cells_module.NAMED["rewards divided"]
    assert divided == {name: expected[name] for name in divided}


def test_a_result_gives_back_the_runs_that_it_was_made_of(scripts, cells_module, tmp_path):
    from cadm_record import recorded, together

    model = {"agent": "vanilla-cadm", "seed": 0, "overrides": {}, "seconds": 60}
    runs = [
        *BOTH,
        run("ppo", 0, (1, 2, 3), {"gamma": 0.5}),
        run("ppo-cadm", 0, (4, 5, 6)),  # whose model is its own
        {**run("ppo-cadm", 1, (4, 5, 6)), "model": model},
        {**run("ppo-cadm", 1, (4, 5, 6)), "model": {**model, "overrides": {"epochs": 2}}},
    ]
    found = cells_module.cells(runs)
    (tmp_path / "result.json").write_text(json.dumps({"cells": found}))
    again = recorded(tmp_path / "result.json")
    assert json.loads(json.dumps(cells_module.cells(again))) == json.loads(json.dumps(found))
    assert together([], again) == together([], runs)


@pytest.mark.parametrize(("arguments", "kept"), [([], True), (["--anew"], False)])
def test_recorded_runs_stay_in_the_result_unless_it_is_made_anew(
    arguments, kept, scripts, cells_module, monkeypatch, tmp_path
):
    import cadm_tables

    written = {}
    monkeypatch.setattr(cadm_tables, "RUNS", tmp_path)
    monkeypatch.setattr(cadm_tables, "RESULTS", tmp_path)
    monkeypatch.setattr(cadm_tables, "draw", lambda found: None)
    monkeypatch.setattr(cadm_tables, "write_result", lambda name, found, **_: written.update(found))
    monkeypatch.setattr("sys.argv", ["", "--rows", "--out", str(tmp_path), *arguments])
    before = cells_module.cells([run("ppo", 0, (1, 2, 3))])
    (tmp_path / "cadm_tables.json").write_text(json.dumps({"cells": before}))
    cadm_tables.main()
    assert [cell["agent"] for cell in written["cells"] if cell["status"] == "run"] == ["ppo"] * kept


def test_no_result_gives_back_no_runs(scripts, tmp_path):
    from cadm_record import recorded

    assert recorded(tmp_path / "result.json") == []


def test_a_run_takes_the_place_of_that_which_was_recorded(scripts):
    from cadm_record import together

    before = [run("ppo", seed, (seed, 0, 0)) for seed in (0, 1)]
    other = run("ppo", 1, (7, 0, 0), {"gamma": 0.5})
    now = [run("ppo", 1, (9, 0, 0)), run("ppo", 2, (8, 0, 0)), other]
    assert together(before, now) == [before[0], *now]


def test_cells_can_be_written_as_json(cells_module):
    found = cells_module.cells(BOTH)
    assert json.loads(json.dumps(found, allow_nan=False))[0]["paper"]["train"] == [176.6, 10.2]


def test_the_picture_is_drawn(cells_module, tmp_path):
    import cadm_picture

    cadm_picture.draw(cells_module.cells(BOTH), tmp_path / "tables.png")
    assert (tmp_path / "tables.png").stat().st_size > 10_000


def test_nothing_is_drawn_of_nothing(cells_module, tmp_path):
    import cadm_picture

    cadm_picture.draw(cells_module.cells([]), tmp_path / "tables.png")
    assert not (tmp_path / "tables.png").exists()


# The command.


def test_a_setting_that_no_agent_has_is_refused(scripts, monkeypatch):
    import cadm_tables

    monkeypatch.setattr("sys.argv", ["cadm_tables.py", "--rows", "ppo", "--set", "members=3"])
    with pytest.raises(SystemExit, match=r"none of \['ppo'\] has the settings \['members'\]"):
        cadm_tables.main()


def test_runs_elsewhere_do_not_overwrite_the_result(scripts, monkeypatch, tmp_path, capsys):
    import cadm_tables

    written = []
    monkeypatch.setattr(cadm_tables, "draw", written.append)
    monkeypatch.setattr(cadm_tables, "write_result", lambda *_, **__: written.append("result"))
    monkeypatch.setattr("sys.argv", ["cadm_tables.py", "--rows", "--out", str(tmp_path)])
    cadm_tables.main()
    assert not written and "No result and no picture is written" in capsys.readouterr().out


def test_runs_are_asked_for_seed_by_seed(scripts, monkeypatch):
    import cadm_tables

    argv = ["cadm_tables.py", "--rows", "pe-ts", "ppo", "--seeds", "3", "5", "--set", "horizon=7"]
    monkeypatch.setattr("sys.argv", [*argv, "--families", PENDULUM])
    found = cadm_tables.wanted(cadm_tables.parsed())
    assert [(one.agent, one.seed) for one in found] == [
        ("pe-ts", 3),
        ("ppo", 3),
        ("pe-ts", 5),
        ("ppo", 5),
    ]
    assert found[0].overrides["horizon"] == 7 and found[1].overrides == {}
