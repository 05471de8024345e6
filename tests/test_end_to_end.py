"""The main job in small: `icrl run ad icrl/DarkRoom-v0` from nothing to a report."""

import json
import shlex

import numpy as np
import pytest
import torch

from icrl import HistoryStore, make_family
from icrl.cli import main
from icrl.evaluation import Evaluation
from icrl.files import read_json, read_toml

SMALL = shlex.split("""
run ad icrl/DarkRoom-v0 --seed 3 --episodes 5 --device cpu
--env.size 3 --env.horizon 7 --env.split_seed 3
--source.streams_per_task 5 --source.steps 210
--agent.updates 60 --agent.width 16 --agent.heads 2 --agent.layers 1 --agent.feed_forward 16
--agent.window 35 --agent.batch 16 --agent.every 1
""")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run of the main job, at the default budget."""
    out = tmp_path_factory.mktemp("runs") / "small"
    assert main([*SMALL, "--out", str(out), "--quiet", "--debug"]) == 0
    return out


def test_the_histories_are_of_training_tasks(run):
    store = HistoryStore.open(run / "histories")
    assert store.tasks.split == "train"
    assert store.manifest.source == "q-learning"


def test_the_results_are_of_held_out_tasks(run):
    family = make_family("icrl/DarkRoom-v0", size=3, horizon=7, split_seed=3)
    trained_on = HistoryStore.open(run / "histories").tasks.arrays["goal"].tolist()
    for path in sorted((run / "evaluation").iterdir()):
        result = Evaluation.load(path)
        family.check_tasks(result.tasks)
        assert all(goal not in trained_on for goal in result.tasks.arrays["goal"].tolist())


def test_the_returns_are_one_for_each_task_and_episode(run):
    result = Evaluation.load(run / "evaluation" / "ad")
    assert result.returns.shape == (len(result.tasks), 5)
    assert np.isfinite(result.returns).all()


def test_the_optimum_is_never_exceeded(run):
    best = Evaluation.load(run / "evaluation" / "optimum")
    for name in ("ad", "ed", "random", "source"):
        result = Evaluation.load(run / "evaluation" / name)
        assert (result.returns <= best.optimal_return[result.task][:, None] + 1e-5).all()


def test_the_source_learns(run):
    result = Evaluation.load(run / "evaluation" / "source")
    assert result.returns[:, -5:].mean() > result.returns[:, :5].mean()


def test_the_record_says_all_that_was_asked_for(run):
    record = read_toml(run / "agent" / "run.toml")
    assert record["env"] == {"size": 3, "horizon": 7, "split_seed": 3}
    assert record["agent"]["updates"] == 60
    assert record["source"]["steps"] == 210


def test_the_report_has_a_page_and_its_figures(run):
    assert "<img" in (run / "report" / "index.html").read_text(encoding="utf-8")
    agents = [row["agent"] for row in read_json(run / "report" / "figures.json")["agents"]]
    assert agents[0] == "ad"
    assert {"ed", "random", "source", "optimum"} <= set(agents)


def test_the_same_command_again_repeats_nothing(run, capsys):
    def times() -> dict[str, int]:
        kept = [path for path in run.rglob("*") if path.is_file() and "report" not in path.parts]
        return {str(path): path.stat().st_mtime_ns for path in kept}

    before = times()
    assert main([*SMALL, "--out", str(run), "--quiet", "--json"]) == 0
    assert times() == before
    assert [row["agent"] for row in json.loads(capsys.readouterr().out)][:2] == ["ad", "ed"]


def test_other_settings_are_refused_in_the_same_directory(run, capsys):
    changed = [word if word != "60" else "61" for word in SMALL]
    assert main([*changed, "--out", str(run), "--quiet"]) == 2
    message = capsys.readouterr().err
    assert "holds another run: agent.updates = 60 there, 61 here" in " ".join(message.split())


def test_another_seed_is_another_run(run, tmp_path):
    changed = [*SMALL, "--seed", "5", "--env.split_seed", "5"]
    assert main([*changed, "--out", str(tmp_path / "other"), "--quiet"]) == 0
    ours, other = (
        Evaluation.load(path / "evaluation" / "ad") for path in (run, tmp_path / "other")
    )
    assert not torch.equal(ours.tasks.arrays["goal"], other.tasks.arrays["goal"])


def test_given_histories_are_learned_from(run, tmp_path):
    words = [
        *SMALL,
        "--histories",
        str(run / "histories"),
        "--out",
        str(tmp_path / "again"),
        "--quiet",
    ]
    without_source = [
        word
        for number, word in enumerate(words)
        if not (word.startswith("--source.") or words[number - 1].startswith("--source."))
    ]
    assert main(without_source) == 0
    assert not (tmp_path / "again" / "histories").exists()
    ours, other = (
        Evaluation.load(path / "evaluation" / "ad") for path in (run, tmp_path / "again")
    )
    assert np.array_equal(ours.returns, other.returns)
    assert (tmp_path / "again" / "evaluation" / "source").exists()


def test_train_then_evaluate_then_report_is_the_same(run, tmp_path):
    out = tmp_path / "steps"
    words = ["train", *SMALL[1:]]
    at = words.index("--episodes")
    del words[at : at + 2]
    assert main([*words, "--out", str(out), "--quiet"]) == 0
    command = ["evaluate", str(out), "--episodes", "5", "--device", "cpu", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "result")]) == 0
    ours, other = (
        Evaluation.load(path) for path in (run / "evaluation" / "ad", tmp_path / "result")
    )
    assert np.array_equal(ours.returns, other.returns)
    assert main(["report", str(tmp_path / "result"), "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "index.html").exists()
