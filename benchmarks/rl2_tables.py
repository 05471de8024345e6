"""RL²'s tables of classical algorithms: our number beside the paper's, cell by cell.

Every cell is the mean over fresh test tasks; what an algorithm has to set is searched on training
tasks, for each setting. A cell is judged by the larger of 1.5 % and two standard errors of the
difference (the paper measured on 1,000 tasks). Where it lies outside, other readings of what the
paper says are tried, and recorded; they do not make it count.

    python benchmarks/rl2_tables.py [--tables bandits mdps] [--tasks 10000]
                                    [--search-tasks 1000] [--workers 2]
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

import rl2_bandits
import rl2_mdps
from measurement import RESULTS, write_result
from rl2_cells import Amounts, Table, measured_cells

NAME = "rl2_tables"
TABLES = {table.name: table for table in (rl2_bandits.TABLE, rl2_mdps.TABLE)}
GATE = 0.85
PACKAGES = ("icrl-envs", "icrl-classic")


def main() -> None:
    """Measure the tables that were asked for, one after the other; print and record each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--tasks", type=int, default=10_000, help="test tasks of a cell")
    parser.add_argument("--search-tasks", type=int, default=1000, help="training tasks")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    arguments = parser.parse_args()
    amounts = Amounts(test=arguments.tasks, search=arguments.search_tasks)
    for name in arguments.tables:
        began = time.monotonic()
        cells = list(measured_table(TABLES[name], amounts, arguments.workers))
        print(shown(TABLES[name], cells), "\n", flush=True)
        amount = {"test_tasks": amounts.test, "search_tasks": amounts.search}
        seconds = round(time.monotonic() - began)
        record({name: {**amount, "seconds": seconds, "cells": cells}})


def record(measured: Mapping[str, Any]) -> None:
    """Write the result, in which the tables that were not measured stay, and say how it stands."""
    tables = earlier() | measured
    summary = summarised([cell for table in tables.values() for cell in table["cells"]])
    print(
        f"{summary['within']} of {summary['cells']} cells within the tolerance: "
        f"{summary['share_within']:.1%} (gate {GATE:.0%}); "
        f"{summary['within_another_reading']} of the others by another reading"
    )
    print(write_result(NAME, {"summary": summary, **tables}, packages=PACKAGES), flush=True)


def earlier() -> dict[str, Any]:
    """The tables of the last result."""
    path = RESULTS / f"{NAME}.json"
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: found[name] for name in TABLES if name in found}


def measured_table(table: Table, amounts: Amounts, workers: int) -> Iterator[Mapping[str, Any]]:
    """The cells of a table, in processes of a pool; the longest trials begin first."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(measured_cells, table, baseline, places, amounts)
            for places in reversed(table.groups())
            for baseline in table.readings
        ]
        cells = {}
        for future in as_completed(futures):
            for cell in future.result():
                cells[cell["setting"], cell["baseline"]] = cell
                means = [reading["mean"] for reading in cell["readings"]]
                print(f"{cell['setting']}, {cell['baseline']}: {means}", flush=True)
    for setting in table.settings:
        for baseline in table.readings:
            yield cells[setting.name, baseline]


def shown(table: Table, cells: list[Mapping[str, Any]]) -> str:
    """A table as text: ours (the paper's), with a mark where ours lies outside; below it, what
    other readings gave there.
    """
    width = 20
    lines = [table.title, " " * 20 + "".join(f"{name:>{width}}" for name in table.readings)]
    for setting in table.settings:
        line = f"{setting.name:<20}"
        for cell in (one for one in cells if one["setting"] == setting.name):
            mark = " " if cell["within"] else "*"
            line += f"{cell['readings'][0]['mean']:.2f} ({cell['paper']}){mark}".rjust(width)
        lines.append(line)
    for cell in cells:
        for number, reading in enumerate(cell["readings"] if not cell["within"] else []):
            lines.append(
                f"{'*' if number == 0 else ' '} {cell['setting']}, {cell['baseline']}: "
                f"{reading['mean']} ± {reading['standard_error']}, the paper {cell['paper']}, "
                f"tolerance {reading['tolerance']} ({reading['reading']}, {reading['settings']})"
            )
    return "\n".join(lines)


def summarised(cells: list[Mapping[str, Any]]) -> dict[str, Any]:
    """How many cells lie within the tolerance."""
    within = sum(cell["within"] for cell in cells)
    return {
        "cells": len(cells),
        "within": within,
        "share_within": round(within / len(cells), 4),
        "within_another_reading": sum(cell["within_another_reading"] for cell in cells),
        "gate": GATE,
    }


if __name__ == "__main__":
    main()
