"""What uniformly random actions earn in an episode of each wrapped family, by playing them.

The README of `icrl-envs` states these means. The tasks are training tasks, 100 of them or as many
as there are; the standard error is that of the tasks' own means. A family whose simulator is not
installed is left out, and keeps what was measured before. So the result's command, machine and
versions are those of the last run; beside each mean stands how much was played for it.

    python benchmarks/random_returns.py [--episodes 5] [--only icrl/AntDir-v0]
"""

import argparse
import json
from typing import Any

from measurement import RESULTS, write_result

from icrl.errors import MissingPackageError
from icrl.evaluation import evaluate
from icrl.plugins import make_family, plugin_host
from icrl.random_agent import RandomPolicy

NUM_TASKS = 100


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=5, help="of each task")
    parser.add_argument("--only", nargs="*", help="ids; all wrapped ones if none is named")
    options = parser.parse_args()
    specs = (provided.spec for provided in plugin_host().families.values())
    ids = options.only or sorted(spec.id for spec in specs if "wrapped" in spec.tags)
    kept = RESULTS / "random_returns.json"
    returns = json.loads(kept.read_text(encoding="utf-8"))["returns"] if kept.exists() else {}
    for name in ids:
        try:
            returns[name] = measured(name, options.episodes)
        except MissingPackageError as error:
            print(error)
            continue
        print(name, returns[name])
        write_result("random_returns", {"returns": dict(sorted(returns.items()))})


def measured(name: str, episodes: int) -> dict[str, Any]:
    """The mean of all tasks' means, its standard error, and how much was played."""
    family = make_family(name)
    num_tasks = min(family.num_tasks.get("train") or NUM_TASKS, NUM_TASKS)
    env = family.vector_env(family.sample_tasks(num_tasks, seed=0))
    try:
        played = evaluate(
            RandomPolicy(family.action_space, "cpu"),
            env,
            episodes=episodes,
            seed=0,
            allow_training_tasks=True,
        )
    finally:
        env.close()
    means = played.returns.mean(1)
    return {
        "mean": round(float(means.mean()), 4),
        "standard_error": round(float(means.std(ddof=1)) / num_tasks**0.5, 4),
        "tasks": num_tasks,
        "episodes": episodes,
    }


if __name__ == "__main__":
    main()
