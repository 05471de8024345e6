"""The main job on several seeds, each with its own split of the goals, against its gates.

    python benchmarks/demo_seeds.py --seeds 0 1 2

Runs `icrl run ad icrl/DarkRoom-v0 --seed N --env.split_seed N` for each seed, one after another,
and compares the returns on held-out goals with the gates below. Ends with 1 if one is missed. A run
that already stands in `--out` is not repeated; its time is then what it took when it was made.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from measurement import write_result

from icrl.evaluation import Evaluation

FAMILY = "icrl/DarkRoom-v0"
JUDGED = slice(40, 60)
"""Episodes 41 to 60."""

MEAN_RETURN = 13.5
"""AD's mean return over the judged episodes, as the mean of the seeds: at least."""
RETURN_OF_ANY_SEED = 12.0
"""The same for each seed: at least."""
EXPERT_RETURN = 4.0
"""ED's, from an empty context, for each seed: below."""
SOLVED = 14 / 16
"""Fraction of held-out goals that AD solves, for each seed: at least."""
MINUTES = 8.0
"""For collecting, AD, ED and their evaluation, for each seed: at most."""


def main() -> int:
    """Run the seeds, write `results/demo_seeds.json`, print each gate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--out", type=Path, default=Path("runs/demo-seeds"), help="where the runs lie"
    )
    options = parser.parse_args()
    runs = [run_of(seed, options.out / f"seed{seed}") for seed in options.seeds]
    gates = judged(runs)
    path = write_result(
        "demo_seeds",
        {
            "family": FAMILY,
            "episodes": f"{JUDGED.start + 1} to {JUDGED.stop}",
            "runs": runs,
            "gates": gates,
        },
        packages=("icrl-ad", "icrl-envs", "icrl-sources"),
    )
    for gate in gates:
        word = "reached" if gate["reached"] else "MISSED "
        print(f"{word}  {gate['what']}: {gate['measured']}, {gate['asked']}")
    print(path)
    return 0 if all(gate["reached"] for gate in gates) else 1


def run_of(seed: int, directory: Path) -> dict[str, Any]:
    """Make the run of a seed, unless it stands, and read its figures."""
    words = [
        "run",
        "ad",
        FAMILY,
        "--seed",
        str(seed),
        "--env.split_seed",
        str(seed),
        "--out",
        str(directory),
    ]
    timing = directory / "timing.json"
    if not timing.exists():
        begun = directory.exists()
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "icrl", *words], check=True)
        elapsed = time.perf_counter() - start
        timing.write_text(
            json.dumps({"seconds": None if begun else round(elapsed, 1)}), encoding="utf-8"
        )
    results = {
        path.name: Evaluation.load(path) for path in sorted((directory / "evaluation").iterdir())
    }
    solved = results["ad"].solved()
    return {
        "seed": seed,
        "command": f"icrl {' '.join(words)}",
        "seconds": json.loads(timing.read_text(encoding="utf-8"))["seconds"],
        "goals": len(results["ad"].tasks),
        "solved": None if solved is None else int(np.sum(solved)),
        "returns": {name: figures(result) for name, result in results.items()},
    }


def figures(result: Evaluation) -> dict[str, float]:
    """Mean returns over all tasks: the first episode, and the judged ones."""
    first, late = result.returns[:, 0], result.returns[:, JUDGED]
    return {"first": round(float(first.mean()), 3), "late": round(float(late.mean()), 3)}


def judged(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each gate: what was measured, what was asked, whether it was reached."""
    distilled = [run["returns"]["ad"]["late"] for run in runs]
    expert = [run["returns"]["ed"]["late"] for run in runs]
    solved = [run["solved"] / run["goals"] for run in runs]
    times = [run["seconds"] for run in runs]
    gates = [
        ("AD's return, mean of the seeds", float(np.mean(distilled)), "at least", MEAN_RETURN),
        ("AD's return, worst seed", min(distilled), "at least", RETURN_OF_ANY_SEED),
        ("ED's return from an empty context, best seed", max(expert), "below", EXPERT_RETURN),
        ("fraction of held-out goals solved, worst seed", min(solved), "at least", SOLVED),
    ]
    if None not in times:
        gates.append(("minutes, slowest seed", max(times) / 60, "at most", MINUTES))
    reached = {
        "at least": lambda value, asked: value >= asked,
        "at most": lambda value, asked: value <= asked,
        "below": lambda value, asked: value < asked,
    }
    return [
        {
            "what": what,
            "measured": round(value, 3),
            "asked": f"{relation} {asked}",
            "reached": bool(reached[relation](value, asked)),
        }
        for what, value, relation, asked in gates
    ]


if __name__ == "__main__":
    raise SystemExit(main())
