"""Every agent with every sort of environment, through the command line's own entry function.

`make test` runs `EACH_AGENT`, `make pairings` the others.

| family                           | observation                    | action   | environment  |
|----------------------------------|--------------------------------|----------|--------------|
| icrl/DarkRoom-v0                 | MultiDiscrete                  | Discrete | native       |
| icrl/DarkKeyToDoor-v0            | MultiDiscrete                  | Discrete | native       |
| CartPole-v1                      | Box                            | Discrete | Gymnasium's  |
| Pendulum-v1                      | Box                            | Box      | Gymnasium's  |
| MiniGrid-Empty-5x5-v0            | Dict of Box, Discrete and Text | Discrete | a stranger's |
| Blackjack-v1                     | Tuple                          | Discrete | Gymnasium's  |
| icrl/MiniGrid-FourRooms-v0       | Dict of symbols and Discrete   | Discrete | wrapped      |
| icrl/HalfCheetahVel-v0           | Box                            | Box      | wrapped      |
| icrl/HalfCheetah-v0              | Box                            | Box      | wrapped      |
| icrl/CrippledHalfCheetah-v0      | Box                            | Box      | wrapped      |
| icrl/Ant-v0                      | Box                            | Box      | wrapped      |
| icrl/SlimHumanoid-v0             | Box                            | Box      | wrapped      |
| icrl/Pendulum-v0                 | Box                            | Box      | native       |
| icrl/CartPole-v0                 | Box                            | Discrete | native       |
| icrl/GridMaze-v0                 | Box, whole numbers             | Discrete | native       |
| icrl/Watermaze-v0                | Box of pixels                  | Discrete | native       |
| icrl/Procgen-Maze-v0             | Box of pixels                  | Discrete | wrapped      |
| icrl/SequentialClassification-v0 | Box of numbers                 | Discrete | native       |
"""

from importlib.util import find_spec
from itertools import product

import numpy as np
import pytest

from icrl.cli import main
from icrl.files import read_json, read_tensors

FAMILIES = (
    "icrl/DarkRoom-v0",
    "icrl/DarkKeyToDoor-v0",
    "CartPole-v1",
    "Pendulum-v1",
    "MiniGrid-Empty-5x5-v0",
    "Blackjack-v1",
)
WRAPPED = ("icrl/MiniGrid-FourRooms-v0", "icrl/HalfCheetahVel-v0")
EACH_AGENT = (
    ("ad", "icrl/DarkKeyToDoor-v0"),
    ("ed", "Pendulum-v1"),
    ("leep", "icrl/GridMaze-v0"),
    ("elimination", "icrl/SequentialClassification-v0"),
    ("cadm", "CartPole-v1"),
    *product(("vanilla-dm", "stacked-dm", "pe-ts", "grbal"), ("icrl/Pendulum-v0",)),
    *product(("vanilla-cadm", "pets-cadm"), ("icrl/CartPole-v0",)),
    ("rebal", "icrl/DarkRoom-v0"),
    ("ppo-cadm", "icrl/HalfCheetah-v0"),
    ("ppo-ep", "Blackjack-v1"),
    ("stacked-ppo", "icrl/Pendulum-v0"),
    ("ppo-pc", "MiniGrid-Empty-5x5-v0"),
    *product(("ppo",), ("icrl/MiniGrid-FourRooms-v0", "icrl/Watermaze-v0")),
    ("dqn", "CartPole-v1"),
    ("sac", "Pendulum-v1"),
)
"""Once or twice, between them on every sort of environment."""
MORE = {
    *product(("ad", "ed"), FAMILIES),
    *product(("ad",), WRAPPED),
    *product(("ppo",), ("icrl/DarkRoom-v0", "Blackjack-v1", *WRAPPED)),
    *product(("leep",), ("icrl/Watermaze-v0", "MiniGrid-Empty-5x5-v0", *WRAPPED)),
    ("elimination", "icrl/GridMaze-v0"),
    *product(("cadm",), (*FAMILIES, *WRAPPED, "icrl/HalfCheetah-v0", "icrl/Watermaze-v0")),
    *product(("cadm",), ("icrl/CartPole-v0", "icrl/Pendulum-v0")),
    *product(("vanilla-dm", "stacked-dm", "pe-ts"), ("icrl/CartPole-v0",)),
    *product(("vanilla-cadm", "pets-cadm", "rebal"), ("icrl/Pendulum-v0",)),
    ("grbal", "icrl/DarkRoom-v0"),
    *product(("ppo-cadm",), ("Blackjack-v1", "icrl/CartPole-v0")),
    *product(("ppo-ep",), ("icrl/CartPole-v0", "icrl/HalfCheetah-v0")),
    ("stacked-ppo", "MiniGrid-Empty-5x5-v0"),
    ("ppo-pc", "icrl/Pendulum-v0"),
    *product(("vanilla-dm", "pets-cadm"), ("icrl/HalfCheetah-v0",)),
    *product(("stacked-dm", "vanilla-cadm", "ppo-pc"), ("icrl/Ant-v0",)),
    *product(("pe-ts", "grbal"), ("icrl/CrippledHalfCheetah-v0",)),
    *product(("rebal", "stacked-ppo"), ("icrl/SlimHumanoid-v0",)),
}
NEEDS_ENVPOOL = pytest.mark.skipif(
    find_spec("envpool") is None, reason='needs pip install "icrl-envs[procgen]"'
)
ON_PROCGEN = product(("leep", "ppo"), ("icrl/Procgen-Maze-v0",))


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        *EACH_AGENT,
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in sorted(MORE - {*EACH_AGENT})),
        *(pytest.param(*pair, marks=(pytest.mark.slow, NEEDS_ENVPOOL)) for pair in ON_PROCGEN),
    ],
)
def test_a_pairing_leaves_a_checkpoint_and_finite_returns(agent, family, tmp_path, capsys):
    out = tmp_path / "run"
    argv = ["run", agent, family, "--budget", "smoke", "--device", "cpu", "--out", str(out)]
    assert main([*argv, "--quiet", "--debug"]) == 0
    tensors, metadata = read_tensors(out / "agent" / "checkpoint.safetensors")
    assert tensors
    assert int(metadata["step"]) > 0
    returns = np.load(out / "evaluation" / agent / "returns.npy", allow_pickle=False)
    assert returns.dtype == np.float32
    assert returns.ndim == 2
    assert np.isfinite(returns).all()
    assert (out / "report" / "index.html").stat().st_size > 10_000
    assert capsys.readouterr().err == ""


def test_what_the_agents_declare_stands_beside_them(tmp_path):
    out = tmp_path / "run"
    argv = ["run", "ad", "icrl/DarkRoom-v0", "--budget", "smoke", "--out", str(out), "--quiet"]
    assert main(argv) == 0
    names = {path.name for path in (out / "evaluation").iterdir()}
    assert names == {"ad", "ed", "random", "source", "optimum"}
    results = {name: read_json(out / "evaluation" / name / "evaluation.json") for name in names}
    assert {result["split"] for result in results.values()} == {"test"}
    assert len({result["tasks"] for result in results.values()}) == 1
