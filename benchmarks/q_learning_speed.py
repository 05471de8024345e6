"""How many transitions a second batched tabular Q-learning collects, written to disk.

Collects the histories of Dark Room's training goals with the source's own settings and prints the
rate from the first reset to the shard's rename, flushed to the disk. Beside it stands the
same learner without a recorder, so that the price of recording shows.

    python benchmarks/q_learning_speed.py [--repeats 5] [--directory DIR]
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measurement import write_result

from icrl.config import presets
from icrl.histories import collect
from icrl.plugins import make_family
from icrl.run import Run
from icrl_sources import q_learning_config
from icrl_sources.q_learning import QLearningSource

FAMILY = "icrl/DarkRoom-v0"
GATE = 2e6


class NoRecorder:
    """Takes steps and drops them."""

    def step(self, *values: object, **columns: object) -> None:
        """Drop a step."""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--directory", type=Path, default=None, help="where to write (and remove)")
    arguments = parser.parse_args()
    family = make_family(FAMILY)
    tasks = family.sample_tasks(65, seed=0)
    text = Path(q_learning_config.__file__).with_name("q_learning_presets.toml").read_text()
    config = q_learning_config.QLearningConfig.from_dict(presets(text, FAMILY, "default"))
    source = QLearningSource(config, family, torch.device("cpu"))
    transitions = len(tasks) * source.streams_per_task * source.steps

    recorded, unrecorded = [], []
    for repeat in range(arguments.repeats):
        with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
            start = time.perf_counter()
            run = Run(Path(folder) / "run", quiet=True)
            store = collect(source, family, tasks, Path(folder) / "histories", seed=repeat, run=run)
            recorded.append(transitions / (time.perf_counter() - start))
            size = sum(shard.num_bytes for shard in store.shards)
        start = time.perf_counter()
        source.record(tasks, NoRecorder(), seed=repeat)  # type: ignore[arg-type]
        unrecorded.append(transitions / (time.perf_counter() - start))
    measured: dict[str, Any] = {
        "family": FAMILY,
        "transitions": transitions,
        "bytes": size,
        "recorded_per_second": round(median(recorded)),
        "unrecorded_per_second": round(median(unrecorded)),
        "gate_per_second": GATE,
        "repeats": arguments.repeats,
    }
    print(
        f"{transitions:,} transitions ({size / 1e6:.0f} MB): "
        f"{measured['recorded_per_second'] / 1e6:.1f} million a second recorded, "
        f"{measured['unrecorded_per_second'] / 1e6:.1f} unrecorded "
        f"(gate {GATE / 1e6:.0f}), median of {arguments.repeats}"
    )
    print(write_result("q_learning_speed", measured, packages=("icrl-sources", "icrl-envs")))


if __name__ == "__main__":
    main()
