"""What a command prints: tables on a terminal, the same as plain lines elsewhere."""

import sys
from collections.abc import Iterable, Sequence

from icrl.cli.options import Options


def say(options: Options, message: str) -> None:
    """Tell the user something on stderr, where it mixes with no result."""
    if not options.quiet:
        sys.stderr.write(f"{message}\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; where there is no terminal, wide enough that no name is cut."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(_literal(cell) for cell in row))
    console.print(table)


def _literal(text: str) -> str:
    """Brackets in names and errors are no markup."""
    from rich.markup import escape

    return escape(text)
