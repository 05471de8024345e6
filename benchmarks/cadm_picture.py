"""The picture of CaDM's tables: a panel for each family and split, a row for each agent."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadm_cells import titled
from cadm_paper import SPLITS

from icrl.report.style import (
    AGENT_COLOURS,
    FAINT,
    HAIR,
    HEAD,
    INK,
    margins,
    new_figure,
    save,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PATH = Path(__file__).parent.parent / "docs" / "images" / "cadm-tables.png"
ROW, BETWEEN = 0.36, 0.75
"""Inches: of an agent, and between panels one below the other."""


def draw(cells: list[dict[str, Any]], path: Path = PATH) -> None:
    """Draw the tables' parts in which something was run."""
    run = [cell for cell in cells if cell["status"] == "run"]
    parts = list(dict.fromkeys((cell["table"], cell["family"]) for cell in run))
    if not parts:
        return
    rows = [[c for c in cells if (c["table"], c["family"]) == part] for part in parts]
    heights = [ROW * len(each) for each in rows]
    height = HEAD + 0.9 + sum(heights) + BETWEEN * (len(rows) - 1)
    with styled():
        figure = new_figure(
            height,
            "CaDM's tables: return of an episode",
            "filled: ours, mean and standard deviation over runs; hollow: the paper's",
        )
        margins(figure, left=1.6, right=0.2, bottom=0.4, top=HEAD + 0.4)
        space = BETWEEN / (sum(heights) / len(heights))
        panels = figure.subplots(
            len(rows),
            len(SPLITS),
            squeeze=False,
            sharex="row",
            gridspec_kw={"height_ratios": heights, "hspace": space, "wspace": 0.12},
        )
        for line, part, each in zip(panels, parts, rows, strict=True):
            for axes, split in zip(line, SPLITS, strict=True):
                _panel(axes, each, split)
                title = f"{part[1]}, {split}" if axes is line[0] else split
                axes.set_title(title, color=INK, fontsize=10)
            line[0].set_yticks(range(len(each)), [titled(cell, "\n") for cell in each], fontsize=8)
        save(figure, path)


def _panel(axes: "Axes", cells: list[dict[str, Any]], split: str) -> None:
    """The returns of a split: ours above the paper's."""
    for row, cell in enumerate(cells):
        mean, deviation = cell["paper"][split]
        axes.errorbar(
            mean, row + 0.15, xerr=deviation, fmt="o", color=FAINT, markerfacecolor="none"
        )
        if cell["status"] == "run":
            mean, deviation = cell["ours"][split]
            colour = AGENT_COLOURS["cadm" not in cell["agent"]]
            axes.errorbar(mean, row - 0.15, xerr=deviation or 0, fmt="o", color=colour)
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(axis="x", color=HAIR, linewidth=0.8)
    axes.tick_params(length=3, width=0.8)
