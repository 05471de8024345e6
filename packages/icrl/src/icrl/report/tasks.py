"""Every held-out task's own curve, with its optimum: what a mean hides."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from icrl import statistics
from icrl.report.runs import AgentRuns, seed_of
from icrl.report.style import (
    FAINT,
    HAIR,
    HEAD,
    episode_ticks,
    margins,
    new_figure,
    save,
    styled,
)
from icrl.tasks import Tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 24
LONGEST_LABEL = 24
NARROWEST_LEFT, LEFT_OF_LABELS = 0.7, 0.42
"""Inches left of the panels: at least, and without the labels of their ticks."""
UNSOLVED = "\N{MULTIPLICATION SIGN}"
"""Marks the tasks that are not solved."""


def draw_tasks(
    runs: Sequence[AgentRuns], colours: Mapping[str, str], path: Path, *, heading: str
) -> tuple[int, int]:
    """Draw a panel for each task of each training seed, at most `MOST_PANELS`.

    Panels are in the order of what the first agent earns at the end of its trials, as a share of
    the way from chance to the optimum where both are known, worst first; if there are too many,
    equal steps along that order are taken.

    Args:
        runs: agents only, the one to be judged first.

    Returns:
        How many panels there are, and how many there would be.
    """
    main = runs[0]
    returns = main.returns()
    late = returns[:, :, statistics.last_part(main.episodes)].mean(axis=2)
    scores = main.normalised(late)
    order = np.argsort(late if scores is None else scores, axis=None, kind="stable")
    picks = np.unique(np.linspace(0, len(order) - 1, min(MOST_PANELS, len(order))).round())
    chosen = [divmod(int(order[int(pick)]), main.num_tasks) for pick in picks]
    columns = min(len(chosen), 4 if len(chosen) <= 16 else 6)
    rows = -(-len(chosen) // columns)
    with styled():
        figure = new_figure(HEAD + 0.75 + 1.5 * rows, heading)
        _margins(figure, NARROWEST_LEFT)
        grid = figure.subplots(
            rows,
            columns,
            sharex=True,
            sharey=True,
            squeeze=False,
            gridspec_kw={"hspace": 0.26, "wspace": 0.08},
        )
        solved = _solved(main)
        for axes, (seed, task) in zip(grid.flat, chosen, strict=False):
            _panel(axes, runs, colours, seed, task)
            tasks = main.evaluations[seed].tasks
            label = task_label(tasks, task)
            if main.num_seeds > 1:
                label = f"seed {seed_of(main.evaluations[seed])}: {label}"
            if solved is not None and not solved[seed][task]:
                label = f"{UNSOLVED} {label}"
            axes.set_title(label, fontsize=8.5 if columns < 6 else 7.5, pad=3)
        for axes in grid.flat[len(chosen) :]:
            axes.set_axis_off()
        _legend(figure, runs, colours)
        _name_axes(figure)
        widest = _widest_label(grid[:, 0]) / figure.dpi
        _margins(figure, max(NARROWEST_LEFT, LEFT_OF_LABELS + widest))
        save(figure, path)
    return len(chosen), len(order)


def _margins(figure: "Figure", left: float) -> None:
    margins(figure, left=left, right=0.1, bottom=0.5, top=HEAD + 0.25)


def _widest_label(panels: "Iterable[Axes]") -> float:
    """How wide the labels of the vertical ticks are, in dots."""
    labels = [label for axes in panels for label in axes.get_yticklabels()]
    return max(label.get_window_extent().width for label in labels)


def _panel(
    axes: "Axes", runs: Sequence[AgentRuns], colours: Mapping[str, str], seed: int, task: int
) -> None:
    main = runs[0]
    axes.grid(axis="y", color=HAIR, linewidth=0.7)
    axes.tick_params(length=2, width=0.7, labelsize=8)
    optimal = main.optimal()
    if optimal is not None:
        axes.axhline(optimal[seed, task], color=FAINT, linewidth=1.1, linestyle=(0, (4, 2)))
    for one in reversed(runs):
        returns = _of_the_same_task(one, main, seed, task)
        if returns is None:
            continue
        axes.plot(
            np.arange(1, len(returns) + 1),
            returns,
            color=colours[one.label],
            linewidth=1.6 if one is main else 0.9,
            alpha=1.0 if one is main else 0.5,
            marker="o" if len(returns) == 1 else None,
            markersize=3,
        )
    axes.set_xlim(1 if main.episodes > 1 else 0.5, max(main.episodes, 1.5))
    axes.set_xticks(episode_ticks(main.episodes, most=3))
    labels = axes.get_xticklabels()
    if len(labels) > 1:  # only the lowest panels have labels, and they must not touch each other's
        labels[0].set_horizontalalignment("left")
        labels[-1].set_horizontalalignment("right")


def _legend(figure: "Figure", runs: Sequence[AgentRuns], colours: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=colours[one.label], linewidth=2) for one in runs]
    names = [one.label for one in runs]
    if runs[0].optimal() is not None:
        lines.append(Line2D([], [], color=FAINT, linewidth=1.1, linestyle=(0, (4, 2))))
        names.append("the task's optimum")
    figure.legend(lines, names, loc="upper right", ncols=len(lines), frameon=False, fontsize=9.5)


def _name_axes(figure: "Figure") -> None:
    width, height = figure.get_size_inches()
    figure.text(0.5, 0.1 / height, "episode in context", ha="center", fontsize=10)
    figure.text(0.12 / width, 0.5, "return of the episode", va="center", rotation=90, fontsize=10)


def _of_the_same_task(
    one: AgentRuns, main: AgentRuns, seed: int, task: int
) -> NDArray[np.float64] | None:
    """An agent's returns [episodes] in the task of a panel, by the same training seed; None if it
    did not play it.
    """
    if one is main:
        return main.returns()[seed, task]
    if one.num_seeds != main.num_seeds:
        return None
    wanted = main.evaluations[seed].tasks.row(task)
    theirs = one.evaluations[seed].tasks
    for row in range(len(theirs)):
        if all(np.array_equal(array, wanted[name]) for name, array in theirs.row(row).items()):
            return one.returns()[seed, row]
    return None


def task_label(tasks: Tasks, row: int) -> str:
    """What defines a task, as short as it can be said."""
    parts = []
    for name, array in tasks.row(row).items():
        if array.size > 4:
            return f"task {row + 1}"
        values = ", ".join(
            str(value) if isinstance(value, int) else f"{value:.3g}"
            for value in array.ravel().tolist()
        )
        parts.append(f"{name} {f'({values})' if array.size > 1 else values}")
    label = " ".join(parts)
    return label if len(label) <= LONGEST_LABEL else f"task {row + 1}"


def _solved(main: AgentRuns) -> list[NDArray[np.bool_]] | None:
    """Whether most trials of each task are solved, for each training seed."""
    found = [(evaluation, evaluation.solved()) for evaluation in main.evaluations]
    if any(solved is None for _, solved in found):
        return None
    return [evaluation.by_task(solved) >= 0.5 for evaluation, solved in found if solved is not None]
