"""CaDM's Tables 1 and 2: our returns beside the paper's, cell by cell, and the gates between them.

    python benchmarks/cadm_tables.py --families icrl/Pendulum-v0 --rows vanilla-dm vanilla-cadm
    python benchmarks/cadm_tables.py --rows  # no runs, only the tables of those that there are

A cell is one agent on one family: each run's return is the mean over its episodes on training,
moderate and extreme tasks, the cell has the mean and the standard deviation over runs, as the paper
states its own. A run that stands in `--out` is not repeated, one that was interrupted goes on, and
a cell without runs says so; runs that the committed result records stay in it until they are run
again. Agents plan on two cores with the paper's 40,000 steps on CartPole and Pendulum; ensembles
with fewer particles and candidates there, unless `--device cuda`.
`--set iterations=6 epochs=2` changes settings of the agents that have them; give such runs a folder
of their own in `runs/cadm`, of which the result and the picture are made.
"""

import argparse
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from cadm_cells import cells, gates, shown
from cadm_paper import LITTLE, TABLES, TITLES
from cadm_picture import draw
from cadm_record import recorded, together
from cadm_runs import Asked, completed, config_class, finished, overrides
from measurement import RESULTS, write_result

from icrl.devices import find_device

FAMILIES = list(TABLES["model-based"])
NAME = "cadm_tables"
RUNS = Path("runs/cadm")
"""What the committed tables are made of; runs with other settings lie in folders below it."""


def main() -> None:
    """Run what was asked for and is missing; then put all runs together."""
    options = parsed()
    torch.set_num_threads(options.threads)
    for asked in wanted(options):
        run = completed(asked, options.out, options.device)
        returns = {split: round(value, 1) for split, value in run["returns"].items()}
        print(f"{asked.family} {asked.agent} seed {asked.seed}: {returns}", flush=True)
    committed = options.out.resolve() == RUNS.resolve()
    before = recorded(RESULTS / f"{NAME}.json") if committed and not options.anew else []
    found = cells(together(before, finished(options.out)))
    judged = gates(found)
    print(shown(found, judged))
    if not committed:
        print(f"No result and no picture is written of runs elsewhere than in {RUNS}.")
        return
    draw(found)
    packages = ("icrl-envs", "icrl-cadm", "stable-baselines3")
    print(write_result(NAME, {"gates": judged, "cells": found}, packages=packages))


def wanted(options: argparse.Namespace) -> list[Asked]:
    """The runs that were asked for, seed by seed, so that early ones make whole rows of tables.

    Raises:
        SystemExit: for a setting that none of the agents has.
    """
    device, given = find_device(options.device), settings(options)
    known = {field.name for row in options.rows for field in fields(config_class(row))}
    if options.rows and (unknown := sorted(given.keys() - known)):
        raise SystemExit(f"none of {options.rows} has the settings {unknown}.")
    return [
        Asked(name, agent, seed, overrides(agent, given, device))
        for name in options.families
        for seed in options.seeds
        for agent in options.rows
    ]


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line changes of the paper's settings."""
    given = tomllib.loads("\n".join(options.set))
    return given if options.precision == "float32" else {**given, "precision": options.precision}


def parsed() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", nargs="*", choices=TITLES, default=list(TITLES), help="agents, none: no runs"
    )
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(LITTLE))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, default=RUNS, help="where runs are kept")
    parser.add_argument(
        "--anew", action="store_true", help="leave out what the committed result records"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="while planning"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings of the agents that have them",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
