"""Progress: a bar with rate, time left and figures on a terminal; elsewhere a line now and then."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

LINE_SECONDS = 15.0
"""How often a line is written where there is no terminal."""


class Advance(Protocol):
    """Moves a progress display."""

    def __call__(self, steps: float = 1, /, **figures: float) -> None:
        """So many steps further, also parts of one; `figures` are shown beside the bar."""


@contextmanager
def progress(
    total: int, description: str, *, done: int = 0, unit: str = "it", quiet: bool = False
) -> Iterator[Advance]:
    """Show progress on stderr while the body runs.

    Args:
        total: how many steps there are.
        description: what is being done.
        done: how many steps were done before, by a run that this one goes on with.
        unit: what a step is called.
        quiet: show nothing.
    """
    if quiet:
        yield lambda steps=1, /, **figures: None
    elif sys.stderr.isatty():
        with _bar(total, description, done, unit) as advance:
            yield advance
    else:
        lines = _Lines(total, description, done, unit)
        yield lines
        lines.finish()


@contextmanager
def _bar(total: int, description: str, done: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    begun = time.monotonic()
    moved = 0.0
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as bar:
        task = bar.add_task(description, total=total, completed=done, rate="", figures="")

        def advance(steps: float = 1, /, **figures: float) -> None:
            nonlocal moved
            moved += steps
            fields: dict[str, Any] = {"rate": _rate(moved, time.monotonic() - begun, unit)}
            if figures:
                fields["figures"] = _figures(figures)
            bar.update(task, advance=steps, **fields)

        yield advance


class _Lines:
    """Progress as lines, for log files."""

    def __init__(self, total: int, description: str, done: int, unit: str) -> None:
        self.total, self.description, self.unit = total, description, unit
        self.first, self.done = done, float(done)
        self.begun = self.last_line = time.monotonic()
        self.figures: dict[str, float] = {}

    def __call__(self, steps: float = 1, /, **figures: float) -> None:
        self.done += steps
        self.figures |= figures
        if time.monotonic() - self.last_line >= LINE_SECONDS:
            self.write()

    def write(self) -> None:
        self.last_line = time.monotonic()
        seconds, moved = self.last_line - self.begun, self.done - self.first
        facts = [_rate(moved, seconds, self.unit)]
        if moved and self.done < self.total:
            facts.append(f"{duration_text(seconds / moved * (self.total - self.done))} left")
        self._print(", ".join(facts))

    def finish(self) -> None:
        """The last line, with the time that all of it took."""
        self._print(f"took {duration_text(time.monotonic() - self.begun)}")

    def _print(self, facts: str) -> None:
        done = f"{int(self.done)}/{self.total}"
        line = f"{self.description}: {done}, {facts}  {_figures(self.figures)}"
        sys.stderr.write(line.rstrip() + "\n")
        sys.stderr.flush()


def _rate(moved: float, seconds: float, unit: str) -> str:
    rate = moved / seconds if seconds > 0 else 0.0
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{rate / size:.1f}{letter} {unit}/s"
    if 0 < rate < 0.1:
        return f"{60 * rate:.1f} {unit}/min"
    return f"{rate:.1f} {unit}/s"


def duration_text(seconds: float) -> str:
    """Seconds as a person would say them, `2 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


def _figures(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
