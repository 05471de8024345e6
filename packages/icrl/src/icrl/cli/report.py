"""`icrl report`: a page, pictures and a table of one or more results."""

from pathlib import Path

from icrl.cli.options import Options
from icrl.cli.output import say
from icrl.errors import UsageError


def main(options: Options) -> None:
    """Write the report, and show its table."""
    from icrl.report import write_report

    assert options.out is not None
    results = [path for directory in options.directories for path in results_in(directory)]
    write_report(results, options.out)
    say(options, f"The report is {options.out / 'index.html'}.")


def results_in(directory: Path) -> list[Path]:
    """A result's directory itself, or the results of a run.

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
    return found
