"""The learning-in-context curve: return by episode, with source, chance and optimum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from icrl.evaluation import OPTIMUM, RANDOM
from icrl.report.runs import AgentRuns
from icrl.report.style import (
    HEAD,
    REFERENCE_COLOURS,
    episode_ticks,
    light_grid,
    margins,
    new_figure,
    save,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEAREST_LABELS = 0.052
"""How near two labels may stand, as a share of the height."""
LETTER_INCHES = 0.095
"""How wide a letter of a label is, about."""


@dataclass(frozen=True)
class Axis:
    """What a curve goes along."""

    along: str
    """The words under it."""
    value: str
    """The words beside it."""
    each: int = 1
    """How far one value is from the next."""


BY_EPISODE = Axis("episode in context", "return of the episode")


def draw_curve(
    runs: Sequence[AgentRuns],
    colours: Mapping[str, str],
    path: Path,
    *,
    heading: str,
    subheading: str,
    axis: Axis = BY_EPISODE,
) -> None:
    """Draw the curve of every agent; chance and optimum as level lines."""
    drawn = [one for one in runs if one.name not in (RANDOM, OPTIMUM)] or runs[:1]
    with styled():
        figure = new_figure(5.2, heading, subheading)
        axes = figure.add_subplot()
        labels: list[tuple[float, str, str]] = []
        for name, level in levels(runs).items():
            _level(axes, level, REFERENCE_COLOURS[name], dashed=name == OPTIMUM)
            labels.append((level, f"{name}  {level:.2f}", REFERENCE_COLOURS[name]))
        for one in reversed(drawn):
            colour = colours[one.label]
            labels.append((_curve(axes, one, colour, axis.each), one.label, colour))
        _frame(axes, axis, max(one.episodes for one in runs))
        right = 0.3 + LETTER_INCHES * max(len(name) for _, name, _ in labels)
        margins(figure, left=0.75, right=right, bottom=0.55, top=HEAD + 0.1)
        _label_ends(axes, labels)
        save(figure, path)


def _curve(axes: "Axes", one: AgentRuns, colour: str, each: int) -> float:
    """Draw an agent's curve with its band; where it ends, on average over its last tenth."""
    found = one.estimate(one.returns())
    episodes = each * np.arange(1, one.episodes + 1)
    if one.episodes > 1:
        axes.fill_between(episodes, found.low, found.high, color=colour, alpha=0.16, linewidth=0)
    else:
        axes.vlines(episodes, found.low, found.high, color=colour, alpha=0.4, linewidth=5)
    axes.plot(
        episodes,
        found.value,
        color=colour,
        linewidth=1.8 if one.is_reference else 2.4,
        linestyle=(0, (5, 1.6)) if one.is_reference else "-",
        marker="o" if one.episodes == 1 else None,
    )
    return float(found.value[-max(1, one.episodes // 10) :].mean())


def levels(runs: Sequence[AgentRuns]) -> dict[str, float]:
    """What chance and the best policy earn in these tasks: expected, where the family knows it,
    else as they were played.
    """
    found = {}
    played = {one.name: float(one.returns().mean()) for one in runs}
    for name, expected in ((RANDOM, runs[0].random()), (OPTIMUM, runs[0].optimal())):
        if expected is not None and np.isfinite(expected).all():
            found[name] = float(expected.mean())
        elif name in played:
            found[name] = played[name]
    return found


def _level(axes: "Axes", level: float, colour: str, *, dashed: bool) -> None:
    style = (0, (6, 3)) if dashed else (0, (1, 2))
    axes.axhline(level, color=colour, linewidth=1.4, linestyle=style, zorder=1.5)


def _frame(axes: "Axes", axis: Axis, count: int) -> None:
    light_grid(axes)
    axes.set_xlim(axis.each if count > 1 else 0.5, axis.each * max(count, 1.5))
    axes.margins(y=0.06)
    axes.set_xticks(episode_ticks(axis.each * count))
    axes.set_xlabel(axis.along, labelpad=6)
    axes.set_ylabel(axis.value, labelpad=8)


def _label_ends(axes: "Axes", labels: Sequence[tuple[float, str, str]]) -> None:
    """Names at the right end of their lines, moved apart where they would touch."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    wanted = sorted((level - low) / (high - low) for level, _, _ in labels)
    places = _apart(wanted)
    for place, (_, name, colour) in zip(places, sorted(labels), strict=True):
        axes.annotate(
            name,
            (1, place),
            xycoords="axes fraction",
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=10.5,
            fontweight="bold",
            annotation_clip=False,
        )


def _apart(wanted: Sequence[float]) -> list[float]:
    """Places at least `NEAREST_LABELS` apart, each as near as may be to the one that it wants."""
    groups: list[list[float]] = []
    for place in wanted:
        groups.append([place])
        while len(groups) > 1 and _span(groups[-2])[1] + NEAREST_LABELS > _span(groups[-1])[0]:
            last = groups.pop()
            groups[-1].extend(last)
    return [_span(group)[0] + NEAREST_LABELS * i for group in groups for i in range(len(group))]


def _span(group: Sequence[float]) -> tuple[float, float]:
    """First and last place of labels that stand in a block about the mean of what they want."""
    half = NEAREST_LABELS * (len(group) - 1) / 2
    middle = sum(group) / len(group)
    return middle - half, middle + half
