"""What a command prints: tables on a terminal, the same as plain lines elsewhere."""

import sys
from collections.abc import Iterable, Sequence

from icrl.cli.options import Options

_WIDE = 200
"""Columns of a table where there is no terminal."""


def say(options: Options, message: str) -> None:
    """Tell the user something on stderr, where it mixes with no result."""
    if not options.quiet:
        sys.stderr.write(f"{message}\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; where there is no terminal, wide enough that no name is cut."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(_literal(cell) for cell in row))
    console = Console()
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(width=_WIDE)
    with wide.capture() as captured:
        wide.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _literal(text: str) -> str:
    """Brackets in names and errors are no markup."""
    from rich.markup import escape

    return escape(text)
