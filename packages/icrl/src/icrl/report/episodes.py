"""A trial in pictures: episodes of the frozen agent, early and late ones side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from icrl.errors import IcrlError
from icrl.evaluation import Evaluation, RecordedEpisode
from icrl.families import Rendered
from icrl.plugins import make_family
from icrl.report.style import FAINT, HEAD, INK, WIDTH, new_figure, save, styled
from icrl.report.tasks import task_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_TRIALS = 3
LEFT, GAP, TITLE, FOOT, TALLEST = 0.35, 0.06, 0.22, 0.27, 2.2
"""Inches: before the first picture, between pictures, above the first row, below each row, and the
height of a picture at most.
"""


def draw_episodes(evaluation: Evaluation, path: Path, *, heading: str) -> int:
    """Draw the recorded episodes: a row for each trial, a column for each episode.

    Returns:
        How many trials are drawn; 0 if the family cannot be made here or draws no pictures.
    """
    family = family_of(evaluation)
    if family is None or not evaluation.recorded:
        return 0
    trials = sorted({one.trial for one in evaluation.recorded})[:MOST_TRIALS]
    recorded = [[one for one in evaluation.recorded if one.trial == trial] for trial in trials]
    frames = [[_frame(family, evaluation, one) for one in row] for row in recorded]
    columns = max(len(row) for row in recorded)
    slant = max(frame.shape[0] / frame.shape[1] for row in frames for frame in row)
    width = min(TALLEST / slant, (WIDTH - LEFT) / columns - GAP)
    height = width * slant
    with styled():
        figure = new_figure(HEAD + TITLE + (height + FOOT) * len(trials), heading)
        for row, trial in enumerate(trials):
            top = HEAD + TITLE + (height + FOOT) * row
            label = task_label(evaluation.tasks, int(evaluation.task[trial]))
            _text(figure, LEFT - 0.12, top + height / 2, label, rotation=90, ha="right")
            for column, (one, frame) in enumerate(zip(recorded[row], frames[row], strict=True)):
                left = LEFT + (width + GAP) * column
                axes = figure.add_axes(_box(figure, left, top, width, height))
                axes.imshow(frame)
                axes.set_axis_off()
                middle = left + width / 2
                earned = float(one.columns["reward"].sum())
                _text(figure, middle, top + height + 0.13, f"return {earned:.4g}")
                if row == 0:
                    _text(figure, middle, top - 0.12, f"episode {one.episode + 1}", strong=True)
        save(figure, path)
    return len(trials)


def _frame(family: Any, evaluation: Evaluation, one: RecordedEpisode) -> NDArray[np.uint8]:
    task = evaluation.tasks.row(int(evaluation.task[one.trial]))
    episode = one.unpacked(family.observation_space, family.action_space)
    return np.asarray(family.render(task, episode))


def _box(
    figure: "Figure", left: float, top: float, width: float, height: float
) -> tuple[float, float, float, float]:
    """A rectangle, given in inches from the upper left corner, as matplotlib takes it."""
    full_width, full_height = figure.get_size_inches()
    return (
        left / full_width,
        1 - (top + height) / full_height,
        width / full_width,
        height / full_height,
    )


def _text(
    figure: "Figure",
    across: float,
    down: float,
    text: str,
    *,
    rotation: float = 0,
    ha: str = "center",
    strong: bool = False,
) -> None:
    left, bottom, *_ = _box(figure, across, down, 0, 0)
    figure.text(
        left,
        bottom,
        text,
        rotation=rotation,
        ha=ha,
        va="center",
        fontsize=10.5 if strong else 9,
        color=INK if strong else FAINT,
    )


def family_of(evaluation: Evaluation) -> Any:
    """The family that was played, a `TaskFamily` that is `Rendered`; None if it is not, or cannot
    be made here.
    """
    tasks = evaluation.tasks
    try:
        family = make_family(tasks.family, **tasks.arguments)
    except IcrlError:
        return None
    return family if isinstance(family, Rendered) else None
