"""Style: how the report's pictures look.

Colours are Okabe and Ito's, which colour-blind readers tell apart.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icrl.evaluation import OPTIMUM, RANDOM, SOURCE
from icrl.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from icrl.report.runs import AgentRuns

INK, FAINT, HAIR, PAPER = "#1b2430", "#6b7683", "#e3e7ec", "#ffffff"
"""Text; lesser text; thin lines; background."""

AGENT_COLOURS = ("#0072b2", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#8c564b")
"""In the order in which agents are given; more agents than colours take them again."""
REFERENCE_COLOURS = {SOURCE: "#009e73", RANDOM: "#8a949e", OPTIMUM: INK}

FONTS = ("Inter", "Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans")
DOTS_PER_INCH = 200
WIDTH, HEAD = 9.6, 0.55
"""Of every picture, and of what stands above its axes, in inches."""


def colours(runs: Sequence["AgentRuns"]) -> dict[str, str]:
    """The colour of each label, the same in every picture of a report."""
    agents = [one.label for one in runs if not one.is_reference]
    ours = {label: AGENT_COLOURS[i % len(AGENT_COLOURS)] for i, label in enumerate(agents)}
    return ours | {one.label: REFERENCE_COLOURS[one.name] for one in runs if one.is_reference}


@contextmanager
def styled() -> Iterator[None]:
    """A context in which matplotlib draws in this style."""
    import matplotlib
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    settings: Any = {
        "font.family": next(name for name in FONTS if name in installed),
        "font.size": 10,
        "text.color": INK,
        "text.parse_math": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "figure.facecolor": PAPER,
        "lines.solid_capstyle": "round",
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(height: float, heading: str, subheading: str = "") -> "Figure":
    """A figure `WIDTH` inches wide, apart from matplotlib's global state.

    Heading and line below it say what a slide needs that has no caption; they take the uppermost
    `HEAD` inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    for text, down, size, colour, weight in (
        (heading, 0.22, 13, INK, "bold"),
        (subheading, 0.42, 9.5, FAINT, "normal"),
    ):
        figure.text(
            0.06 / WIDTH, 1 - down / height, text, fontsize=size, color=colour, fontweight=weight
        )
    return figure


def margins(figure: "Figure", *, left: float, right: float, bottom: float, top: float) -> None:
    """Keep so many inches around the axes."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height
    )


def light_grid(axes: "Axes") -> None:
    """Thin horizontal lines to read values by."""
    axes.grid(axis="y", color=HAIR, linewidth=0.8)
    axes.tick_params(length=3, width=0.8)


def episode_ticks(episodes: int, most: int = 8) -> list[int]:
    """Round episodes at which to put ticks, the first and the last among them."""
    steps = (m * 10**e for e in range(7) for m in (1, 2, 5))
    step = next(step for step in steps if episodes / step <= most)
    inner = [tick for tick in range(step, episodes, step) if episodes - tick >= step / 2]
    return sorted({1, *inner, episodes})


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, whole or not at all; the same figure gives the same file."""
    write_atomically(
        path,
        lambda file: figure.savefig(
            file, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None}
        ),
    )
