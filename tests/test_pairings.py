"""The matrix: every agent with families of every kind, through the command line's own entry."""

import json

import numpy as np
import pytest

from icrl.cli import main
from icrl.plugins import plugin_host

FAMILIES = {
    "icrl/DarkRoom-v0": "native, MultiDiscrete observations",
    "icrl/DarkKeyToDoor-v0": "native, with a view for learners",
    "CartPole-v1": "Box observations, Discrete actions",
    "Pendulum-v1": "Box observations and actions",
    "MiniGrid-Empty-5x5-v0": "a stranger's, Dict observations with Text",
    "Blackjack-v1": "Tuple observations",
}


def agents() -> list[str]:
    """Every installed agent that learns from histories."""
    found = [name for name, one in plugin_host().agents.items() if one.spec.learns == "histories"]
    assert {"ad", "ed"} <= set(found)
    return sorted(found)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("agent", agents())
def test_a_pairing_runs(agent, family, tmp_path, monkeypatch):
    refusals = plugin_host().agents[agent].spec.refuses
    if family in refusals:
        pytest.skip(refusals[family])
    monkeypatch.chdir(tmp_path)
    assert main(["run", agent, family, "--budget", "smoke", "--quiet", "--out", "run"]) == 0
    assert (tmp_path / "run" / "agent" / "weights.safetensors").stat().st_size > 0
    for result in (tmp_path / "run" / "evaluation").iterdir():
        returns = np.load(result / "returns.npy", allow_pickle=False)
        assert returns.size
        assert np.isfinite(returns).all(), result.name
        assert json.loads((result / "evaluation.json").read_text())["family"] == family
    assert (tmp_path / "run" / "evaluation" / agent).is_dir()
    assert (tmp_path / "run" / "report" / "index.html").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "something litters the folder"
