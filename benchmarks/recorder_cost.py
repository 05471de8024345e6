"""What recording costs a Stable-Baselines3 learner: the same learner unrecorded and recorded, by
turns.

For each pairing: `sb3` is the learner as Stable-Baselines3's own users run it (DummyVecEnv and
Monitor), `unrecorded` the learner on a task environment, `recorded` the source `sb3` writing a
history store. The cost is the median over rounds of recorded over unrecorded, in processor time, so
that what else the machine does counts less.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import torch
from measurement import write_result
from stable_baselines3.common.env_util import make_vec_env

import icrl
from icrl.families import TaskFamily
from icrl.histories import collect
from icrl.run import Run
from icrl.sb3 import algorithm, make_model, own_globals
from icrl_sources.sb3 import SB3Source, train
from icrl_sources.sb3_config import SB3Config

PAIRINGS = (
    ("CartPole-v1", SB3Config(algorithm="PPO", steps=1_024, num_envs=8)),
    ("CartPole-v1", SB3Config(algorithm="DQN", steps=8_192, num_envs=1)),
    ("Pendulum-v1", SB3Config(algorithm="A2C", steps=1_024, num_envs=8)),
    ("icrl/DarkRoom-v0", SB3Config(algorithm="PPO", steps=1_024, num_envs=8)),
)
"""With one environment and a cheap update (DQN, A2C) recording weighs most."""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    measured = [measure(family, config, rounds) for family, config in PAIRINGS]
    for result in measured:
        print(
            f"{result['family']:18} {result['algorithm']:4} {result['num_envs']} envs: recorded "
            "costs "
            f"{100 * (result['cost'] - 1):+.1f} % of unrecorded, "
            f"{100 * (result['cost_over_sb3'] - 1):+.1f} % of plain Stable-Baselines3"
        )
    print(
        "wrote",
        write_result("recorder_cost", {"pairings": measured}, packages=("stable-baselines3",)),
    )


def measure(id: str, config: SB3Config, rounds: int) -> dict[str, Any]:
    """Run the three by turns and compare."""
    family = icrl.make_family(id)
    source = SB3Source(config, family, torch.device("cpu"))
    ways: dict[str, Callable[[], object]] = {
        "sb3": lambda: plain(id, source),
        "unrecorded": lambda: unrecorded(family, source),
        "recorded": lambda: recorded(family, source),
    }
    for way in ways.values():
        way()
    spent = [{name: processor_seconds(way) for name, way in ways.items()} for _ in range(rounds)]
    steps = config.steps * config.num_envs
    return {
        "family": id,
        "algorithm": config.algorithm,
        "num_envs": config.num_envs,
        "transitions": steps,
        "rounds": rounds,
        "cost": median(each["recorded"] / each["unrecorded"] for each in spent),
        "cost_over_sb3": median(each["recorded"] / each["sb3"] for each in spent),
        "transitions_per_second": {
            name: round(steps / median(each[name] for each in spent)) for name in ways
        },
    }


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def plain(id: str, source: SB3Source) -> None:
    """Stable-Baselines3 as its users run it."""
    config = source.config
    env = make_vec_env(lambda: gymnasium.make(id), n_envs=config.num_envs, seed=0)
    policy = "MlpPolicy"
    with own_globals():
        learner = algorithm(config.algorithm)
        model = make_model(learner, env, seed=0, policy=policy, settings=config.settings)
        model.learn(config.steps * config.num_envs)
    env.close()


def unrecorded(family: TaskFamily, source: SB3Source) -> None:
    """The source's learner without a recorder."""
    tasks = family.sample_tasks(1, seed=0).repeat(source.config.num_envs)
    env = family.vector_env(tasks)
    train(source.config, algorithm(source.config.algorithm), env, seed=0)
    env.close()


def recorded(family: TaskFamily, source: SB3Source) -> None:
    """The source, writing a store."""
    with tempfile.TemporaryDirectory() as directory:
        tasks = family.sample_tasks(1, seed=0)
        run = Run(Path(directory) / "run", quiet=True)
        collect(source, family, tasks, Path(directory) / "store", seed=0, run=run)


if __name__ == "__main__":
    main()
