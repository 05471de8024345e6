"""Every agent from the command line, on a family that it serves and on one that it does not."""

import json

import numpy as np
import pytest

from icrl.cli import main
from icrl_classic.plugin import icrl_agents

BANDIT, FEATURES = "icrl/BernoulliBandit-v0", "icrl/LinearBandit-v0"
WORLD, ROOM, PLANE = "icrl/TabularMDP-v0", "icrl/DarkRoom-v0", "icrl/PointRobot-v0"
SERVED = {
    "greedy": WORLD,
    "epsilon-greedy": BANDIT,
    "ucb1": "icrl/GaussianBandit-v0",
    "thompson": BANDIT,
    "optimistic-thompson": "icrl/AdversarialBandit-v0",
    "gittins": BANDIT,
    "linucb": FEATURES,
    "psrl": WORLD,
    "opsrl": WORLD,
    "ucrl2": WORLD,
    "beb": ROOM,
    "q-learning": ROOM,
}
REFUSED = {
    "greedy": (PLANE, "table of states"),
    "epsilon-greedy": (FEATURES, "table of states"),
    "ucb1": (WORLD, "plays bandits"),
    "thompson": (ROOM, "plays bandits"),
    "optimistic-thompson": (FEATURES, "plays bandits"),
    "gittins": (WORLD, "plays bandits"),
    "linucb": (ROOM, "sees features"),
    "psrl": (PLANE, "table of states"),
    "opsrl": (FEATURES, "table of states"),
    "ucrl2": ("CartPole-v1", "table of states"),
    "beb": ("Pendulum-v1", "table of states"),
    "q-learning": (PLANE, "table of states"),
}


def returns_of(agent, family, out, *more):
    """The returns [tasks, episodes] of a smallest run, and its directory's results by name."""
    argv = ["run", agent, family, "--budget", "smoke", "--device", "cpu", "--quiet", *more]
    assert main([*argv, "--out", str(out), "--debug"]) == 0
    results = {path.name: path for path in (out / "evaluation").iterdir()}
    return np.load(results[agent] / "returns.npy", allow_pickle=False), results


def test_every_agent_is_tried():
    names = {spec.name for spec in icrl_agents()}
    assert SERVED.keys() == REFUSED.keys() == names


@pytest.mark.parametrize("agent", SERVED)
def test_a_run_leaves_returns_beside_those_of_chance_and_the_optimum(agent, tmp_path):
    returns, results = returns_of(agent, SERVED[agent], tmp_path / "run")
    assert np.isfinite(returns).all()
    assert results.keys() == {agent, "random", "optimum"}
    assert (tmp_path / "run" / "report" / "index.html").stat().st_size > 10_000


def test_a_run_with_the_same_seed_is_the_same_run(tmp_path):
    runs = [
        returns_of("psrl", WORLD, tmp_path / name, "--seed", seed)[0]
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("agent", ["thompson", "psrl"])
def test_presets_tell_an_agent_the_law_of_the_rewards(agent, tmp_path):
    family = {"thompson": "icrl/GaussianBandit-v0", "psrl": WORLD}[agent]
    _, results = returns_of(agent, family, tmp_path / "run")
    settings = json.loads((results[agent] / "evaluation.json").read_text())["details"]["settings"]
    assert (settings["rewards"], settings["prior_mean"]) == (
        "normal",
        {"thompson": 0.5, "psrl": 1.0}[agent],
    )


@pytest.mark.parametrize("agent", REFUSED)
def test_what_an_agent_cannot_serve_is_refused_before_anything_is_written(agent, tmp_path, capsys):
    family, reason = REFUSED[agent]
    out = tmp_path / "run"
    assert main(["run", agent, family, "--quiet", "--out", str(out)]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert reason in message
    assert family in message
    assert not out.exists()
