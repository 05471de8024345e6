"""LEEP and its controls beside PPO of the same total budget, on training and held-out tasks.

    python benchmarks/leep_procgen.py grid-maze --jobs 2
    python benchmarks/leep_procgen.py procgen --games Maze Heist BigFish Dodgeball --device cuda

`grid-maze` is what two cores finish: `icrl/GridMaze-v0` with 50 training mazes and 1000 others,
five seeds, each with mazes of its own, and beside the controls the variants that show what LEEP
gives up for its members' differences. `procgen` needs `icrl-envs[procgen]`, and a GPU for the
paper's budget (Ghosh et al. 2021, arXiv:2107.06277: 200 training levels, 25 M steps). Both write
`results/leep_NAME.json` and the curves to `docs/images/leep-NAME.png`. Runs that stand in `--out`
are not repeated.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from leep_runs import GRID_MAZE, REASONS, VARIANTS, Setting, curves, trained
from measurement import write_result

from icrl.report.style import (
    AGENT_COLOURS,
    HEAD,
    INK,
    light_grid,
    margins,
    new_figure,
    save,
    styled,
)
from icrl.statistics import bootstrap

Run = dict[str, Any]
"""What `trained` gives."""
Group = dict[str, dict[int, Run]]
"""Runs of a setting by variant and seed."""
Groups = dict[str, Group]
PICTURES = Path(__file__).parent.parent / "docs" / "images"
PROCGEN = {
    "num_envs": 64,
    "rollout": 256,
    "epochs": 3,
    "learning_rate": 5e-4,
    "gamma": 0.999,
    "alpha": 0.1,
    "normalize_rewards": True,
}
"""PPO's settings of Procgen's easy mode (Cobbe et al. 2020, arXiv:1912.01588)."""


def main() -> None:
    """Train what is missing, and write results and pictures."""
    options = parsed()
    settings = {"grid-maze": GRID_MAZE} if options.what == "grid-maze" else procgen(options)
    wanted = [(name, *run) for name, run in product(settings, asked_runs(options))]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(trained, settings[name], variant, seed, options.out / name)
            for name, variant, seed in wanted
        ]
        groups: Groups = {}
        for (name, variant, seed), future in zip(wanted, futures, strict=True):
            run = groups.setdefault(name, {}).setdefault(variant, {})[seed] = future.result()
            print(f"{name} {variant} seed {seed}: test {run['curve'][-1]['test']:.2f}", flush=True)
    results = {name: result(settings[name], group) for name, group in groups.items()}
    for name, found in results.items():
        draw(name, groups[name])
        for row in found["rows"]:
            print(name, row["variant"], row["test"], row["argmax"], row["train"])
    packages = ("icrl-leep", "icrl-envs", "stable-baselines3")
    print(write_result(f"leep_{options.what.replace('-', '_')}", results, packages=packages))


def asked_runs(options: argparse.Namespace) -> list[tuple[str, int]]:
    """The variants and seeds to be run, in this order."""
    every = VARIANTS | REASONS
    variants = options.variants or (every if options.what == "grid-maze" else ("leep", "single"))
    most = 5 if options.what == "grid-maze" else 3
    return [
        (variant, seed)
        for variant in variants
        for seed in options.seeds or range(min(most, every[variant].seeds))
    ]


def parsed() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("grid-maze", "procgen"))
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS, *REASONS])
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--out", type=Path, default=Path("runs/leep"), help="where runs are kept")
    parser.add_argument("--games", nargs="+", default=["Maze", "Heist", "BigFish", "Dodgeball"])
    parser.add_argument("--steps", type=int, default=25_000_000, help="of each run, for procgen")
    parser.add_argument("--device", default="cpu", help="where the networks are, for procgen")
    return parser.parse_args()


def procgen(options: argparse.Namespace) -> dict[str, Setting]:
    """A setting for each game."""
    return {
        game: Setting(
            family=f"icrl/Procgen-{game}-v0",
            arguments={},
            steps=options.steps,
            config=PROCGEN,
            num_test=64,
            num_final_test=200,
            points=10,
            device=options.device,
        )
        for game in options.games
    }


def result(setting: Setting, group: Group) -> dict[str, Any]:
    """What is written of a setting."""
    return {
        "setting": asdict(setting),
        "intervals": "95 %, bootstrap over seeds and each one's tasks",
        "rows": [summary(variant, runs) for variant, runs in group.items()],
        "differences": {
            f"{ours} - {theirs}": difference(group[ours], group[theirs])
            for ours in ("leep", "leep-all-tasks")
            for theirs in group
            if ours in group and ours != theirs
        },
    }


def summary(variant: str, runs: dict[int, Run]) -> dict[str, Any]:
    """The row of a variant: means over seeds and tasks, with intervals."""
    each = list(runs.values())
    finals = {d: np.array([run["final"][d] for run in each]) for d in ("sample", "argmax")}
    members = [member for run in each for member in run["final"].get("members", [])]
    both = zip(curves(each, "train"), curves(each, "test"), strict=True)
    return {
        "variant": variant,
        "seeds": list(runs),
        "steps": each[0]["curve"][-1]["steps"],
        "train": round(float(np.mean([run["curve"][-1]["train"] for run in each])), 3),
        "test": interval(finals["sample"]),
        "argmax": interval(finals["argmax"]),
        "best_test_of_curve": round(float(max(np.mean(v) for _, v in curves(each, "test"))), 3),
        "seconds": round(float(np.mean([run["curve"][-1]["seconds"] for run in each]))),
        "members_alone": {
            played: round(float(np.mean([member[played] for member in members])), 3)
            for played in (members[0] if members else ())
        },
        "curve": [
            {"steps": step, "train": rounded(train), "test": rounded(test)}
            for (step, train), (_, test) in both
        ],
    }


def interval(scores: np.ndarray) -> list[float]:
    """Mean, and a 95 % interval over seeds and each one's tasks (over tasks, of one seed)."""
    unit = "seeds, then their tasks" if len(scores) > 1 else "tasks"
    estimate = bootstrap(scores, unit=unit)
    return rounded([float(estimate.value), float(estimate.low), float(estimate.high)])


def difference(ours: dict[int, Run], theirs: dict[int, Run]) -> list[float]:
    """A variant's test return less another's, task by task, as both played the same."""
    pairs = [
        np.array(ours[seed]["final"]["sample"]) - np.array(theirs[seed]["final"]["sample"])
        for seed in ours.keys() & theirs.keys()
    ]
    return interval(np.array(pairs))


def rounded(values: list[float]) -> list[float]:
    """Values as a reader needs them."""
    return [round(value, 3) for value in values]


def draw(name: str, group: Group) -> None:
    """Training and test return by step, a line for each variant, with the range of its seeds."""
    height = 4.2
    with styled():
        figure = new_figure(
            height,
            f"{name.replace('-', ' ')}: return by training step",
            "drawn actions; mean of the seeds and their range; steps of all members together",
        )
        margins(figure, left=0.6, right=1.8, bottom=0.5, top=HEAD + 0.3)
        panels = figure.subplots(1, 2, sharey=True)
        for axes, what in zip(panels, ("train", "test"), strict=True):
            light_grid(axes)
            axes.set_title("training tasks" if what == "train" else "held-out tasks", color=INK)
            axes.set_xlabel("million steps")
            usual = [(variant, runs) for variant, runs in group.items() if variant in VARIANTS]
            for colour, (variant, runs) in zip(AGENT_COLOURS, usual, strict=False):
                steps, values = zip(*curves(list(runs.values()), what), strict=True)
                x, y = np.array(steps) / 1e6, np.array(values)
                axes.plot(x, y.mean(1), color=colour, label=variant, linewidth=1.8)
                axes.fill_between(x, y.min(1), y.max(1), color=colour, alpha=0.12, linewidth=0)
        panels[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        save(figure, PICTURES / f"leep-{name.lower()}.png")


if __name__ == "__main__":
    main()
