"""Drawing: forecasts, contexts and trajectories as pictures, in the report's style."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from icrl.report.style import (
    AGENT_COLOURS,
    FAINT,
    HEAD,
    INK,
    light_grid,
    margins,
    new_figure,
    save,
    styled,
)
from icrl.tasks import Tasks
from icrl_cadm.forecasts import Trajectory, projected, task_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUMBERS, PARAMETERS = 4, 4
"""Of a state, and of a task: so many get a panel."""
MARKERS = "os^vDP*"
"""Of splits, in their order."""
LONGEST_TITLE = 60
PANEL, BELOW = 2.2, 0.55
"""Inches: of a panel, and of what stands below it."""


def draw_errors(family: str, errors: Mapping[str, Mapping[str, np.ndarray]], path: Path) -> None:
    """Errors by horizon [horizon], of each run in each split: a panel for each split."""
    splits = list(next(iter(errors.values())))
    with styled():
        figure = new_figure(
            PANEL + HEAD + 1.0,
            f"{family}: how far forecasts are off",
            "open loop, root mean squared error; 1 is the deviation of the states in the split",
        )
        margins(figure, left=0.6, right=0.2, bottom=BELOW, top=HEAD + 0.4)
        panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
        for axes, split in zip(panels, splits, strict=True):
            light_grid(axes)
            axes.set_title(split, color=INK, fontsize=10)
            axes.set_xlabel("steps ahead")
            for place, (name, by_split) in enumerate(errors.items()):
                ahead = np.arange(1, len(by_split[split]) + 1)
                colour = AGENT_COLOURS[place % len(AGENT_COLOURS)]
                axes.plot(ahead, by_split[split], color=colour, label=name, linewidth=1.8)
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
        if len(errors) > 1:
            panels[0].legend(frameon=False, loc="lower right", fontsize=8)
        save(figure, path)


def draw_contexts(
    family: str, contexts: Mapping[str, Tensor], tasks: Mapping[str, Tasks], path: Path
) -> None:
    """Contexts [points, width] of each split on their principal components: a panel for each true
    parameter of the points' tasks, which colours it.
    """
    flat, shares = projected(torch.cat(list(contexts.values())).float().cpu())
    sizes = [len(each) for each in contexts.values()]
    places = dict(zip(contexts, flat.split(sizes), strict=True))
    values = parameters(tasks)
    with styled():
        figure = new_figure(
            PANEL + HEAD + 1.2,
            f"{family}: the learned context, coloured by the task",
            f"two principal components, which explain {shares[0]:.1%} and {shares[1]:.1%}",
        )
        margins(figure, left=0.3, right=0.6, bottom=BELOW, top=HEAD + 0.4)
        panels = figure.subplots(1, len(values), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (name, by_split) in zip(panels, values.items(), strict=True):
            axes.set_title(name, color=INK, fontsize=10)
            _scatter(figure, axes, places, by_split)
        if len(contexts) > 1:
            handles, labels = panels[0].get_legend_handles_labels()
            legend = figure.legend(
                handles, labels, frameon=False, loc="lower center", ncols=len(labels)
            )
            for handle in legend.legend_handles:
                if handle is not None:
                    handle.set(color=FAINT)
        save(figure, path)


def parameters(tasks: Mapping[str, Tasks]) -> dict[str, dict[str, np.ndarray]]:
    """The numbers that define tasks, by name and split, [tasks]: those in which tasks differ, at
    most `PARAMETERS`.
    """
    by_split = {split: dict(task_numbers(each)) for split, each in tasks.items()}
    found = {
        name: {split: numbers[name] for split, numbers in by_split.items()}
        for name in next(iter(by_split.values()))
    }
    differing = {
        name: values
        for name, values in found.items()
        if len(np.unique(np.concatenate(list(values.values())))) > 1
    }
    return dict(list((differing or found).items())[:PARAMETERS])


def _scatter(
    figure: "Figure", axes: "Axes", places: Mapping[str, Tensor], values: Mapping[str, np.ndarray]
) -> None:
    every = np.concatenate(list(values.values()))
    drawn: Any = None
    for marker, (split, points) in zip(MARKERS * len(places), places.items(), strict=False):
        first, second = points.T.numpy()
        drawn = axes.scatter(
            first,
            second,
            c=values[split],
            vmin=every.min(),
            vmax=every.max(),
            marker=marker,
            s=14,
            linewidths=0,
            alpha=0.8,
            label=split,
        )
    axes.set_xticks([])
    axes.set_yticks([])
    figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03).outline.set_visible(False)


def draw_trajectories(family: str, trajectories: Mapping[str, Trajectory], path: Path) -> None:
    """A trajectory of each split and what is imagined on its way: a row of panels for each split, a
    panel for each number of the state.
    """
    count = min(NUMBERS, next(iter(trajectories.values())).real.shape[1])
    row = 0.7 * PANEL
    height = HEAD + 0.4 + len(trajectories) * (row + BELOW)
    with styled():
        figure = new_figure(
            height,
            f"{family}: imagined and real",
            "wide and grey: what happened; thin and blue: imagined from the dot on, open loop",
        )
        margins(figure, left=0.8, right=0.2, bottom=BELOW, top=HEAD + 0.4)
        panels = figure.subplots(
            len(trajectories),
            count,
            squeeze=False,
            gridspec_kw={"hspace": BELOW / row, "wspace": 0.35},
        )
        for line, (split, trajectory) in zip(panels, trajectories.items(), strict=True):
            for number, axes in enumerate(line):
                _trajectory(axes, trajectory, number)
                axes.set_ylabel(f"number {number + 1}", fontsize=8, labelpad=1)
            task = ", ".join(f"{name} {value:.3g}" for name, value in trajectory.task.items())
            title = f"{split}: {task}"[:LONGEST_TITLE]
            line[0].set_title(title, color=INK, fontsize=10, loc="left")
        for axes in panels[-1]:
            axes.set_xlabel("step")
        save(figure, path)


def _trajectory(axes: "Axes", trajectory: Trajectory, number: int) -> None:
    light_grid(axes)
    axes.plot(trajectory.real[:, number].numpy(), color=FAINT, linewidth=4, alpha=0.3)
    for begin, imagined in trajectory.imagined:
        opening = trajectory.real[begin : begin + 1, number]
        values = torch.cat([opening, imagined[:, number]]).numpy()
        steps = np.arange(begin, begin + len(values))
        axes.plot(steps, values, color=AGENT_COLOURS[0], linewidth=1.3)
        axes.plot(begin, values[0], "o", color=AGENT_COLOURS[0], markersize=3)
