"""`icrl report`: a page, pictures and a table of one or more results."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from icrl.cli.options import Options
from icrl.cli.output import print_table, say
from icrl.cli.record import RunRecord
from icrl.errors import UsageError

if TYPE_CHECKING:
    from icrl.report import Summary


def main(options: Options) -> None:
    """Write the report, and show its table."""
    assert options.out is not None
    results = [path for directory in options.directories for path in results_in(directory)]
    show(options, results, options.out)


def show(options: Options, results: Sequence[Path], out: Path) -> None:
    """Write the report of results, and print its figures."""
    from icrl.report import write_report

    show_figures(options, write_report(results, out))
    say(options, f"The report is {out / 'index.html'}")


def show_figures(options: Options, rows: "Sequence[Summary]") -> None:
    """Print the table of a report or, with `--json`, its figures."""
    from icrl.report import cells, columns

    if options.json:
        print(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        print_table("", columns(rows), [cells(row) for row in rows])


def results_in(directory: Path) -> list[Path]:
    """A result's directory itself, or the results of a run, its agent's first.

    Raises:
        UsageError: if there are none.
    """
    if (directory / "evaluation.json").exists():
        return [directory]
    found = sorted(path.parent for path in directory.glob("evaluation/*/evaluation.json"))
    if not found:
        raise UsageError(
            f"{directory} holds no result: neither evaluation.json nor evaluation/NAME. Give a "
            "directory that `icrl evaluate` or `icrl run` wrote."
        )
    agent = RunRecord.load(directory).run["agent"]
    return sorted(found, key=lambda path: path.name != agent)
