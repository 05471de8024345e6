"""What a linked ensemble costs beside one PPO of the same total number of environment steps.

    python benchmarks/leep_cost.py

Four linked members and Stable-Baselines3's PPO, with the same settings, networks and environments
(`icrl/GridMaze-v0`, 64 rows), take turns for some rounds; the ratio is that of the median times.
One thread, since the networks are small.
"""

import argparse
import time
from statistics import median

import torch
from leep_runs import GRID_MAZE, VARIANTS, learner
from measurement import write_result

from icrl.sb3 import own_globals

MOST = 2.5
"""LEEP's time over PPO's: at most."""


def main() -> int:
    """Measure, write `results/leep_cost.json`, say whether the ratio is within its bound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=81_920, help="of each variant in a round")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with own_globals():
        models = {name: learner(GRID_MAZE, name, seed=0) for name in VARIANTS}
        seconds: dict[str, list[float]] = {name: [] for name in models}
        for turn in range(options.rounds + 1):
            for name, model in models.items():
                began = time.perf_counter()
                model.learn(options.steps)
                if turn:  # the first round warms up
                    seconds[name].append(time.perf_counter() - began)
    times = {name: median(each) for name, each in seconds.items()}
    ratios = {name: round(each / times["ppo"], 2) for name, each in times.items()}
    rates = {name: round(options.steps / each) for name, each in times.items()}
    path = write_result(
        "leep_cost",
        {
            "family": GRID_MAZE.family,
            "rounds": options.rounds,
            "steps_per_second": rates,
            "time_over_ppo": ratios,
            "bound_for_leep": MOST,
        },
        packages=("icrl-leep", "icrl-envs", "stable-baselines3"),
    )
    for name, ratio in ratios.items():
        print(f"{name}: {rates[name]:,} steps/s, {ratio} times PPO's time")
    print(f"{path}: {'reached' if ratios['leep'] <= MOST else 'MISSED'}, at most {MOST}")
    return 0 if ratios["leep"] <= MOST else 1


if __name__ == "__main__":
    raise SystemExit(main())
