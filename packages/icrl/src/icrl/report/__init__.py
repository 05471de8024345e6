"""The report: a page, pictures and a table of what agents earned on held-out tasks."""

from collections.abc import Sequence
from pathlib import Path

from icrl.errors import OutputError
from icrl.evaluation import OPTIMUM, RANDOM, SOURCE, Evaluation
from icrl.files import write_json, write_text
from icrl.report.curve import BY_EPISODE, draw_curve
from icrl.report.episodes import draw_episodes
from icrl.report.page import (
    Picture,
    curve_caption,
    curve_subheading,
    episodes_caption,
    page,
    tasks_caption,
    title,
)
from icrl.report.runs import AgentRuns, group
from icrl.report.steps import by_step
from icrl.report.style import colours
from icrl.report.summary import Summary, cells, columns, summarise
from icrl.report.tasks import draw_tasks

__all__ = ["AgentRuns", "Summary", "cells", "columns", "group", "summaries", "write_report"]

FIGURES = "figures.json"


def write_report(results: Sequence[Path], out: Path) -> list[Summary]:
    """Write `index.html` (one file, pictures inside), the pictures as PNG, and `figures.json`.

    Args:
        results: result directories of one family. The page is about the first agent among them;
            several directories of one agent are its training seeds.
        out: where the report goes; one that stands there is replaced.

    Returns:
        The rows of its table.

    Raises:
        UsageError: if the results cannot be compared.
        DamagedFileError: if one cannot be read.
        OutputError: if `out` holds something else.
    """
    out = Path(out)
    runs = group([Evaluation.load(path) for path in results])
    if out.is_dir() and any(out.iterdir()) and not (out / FIGURES).exists():
        raise OutputError(f"{out} holds something else than a report. Choose another --out.")
    main = runs[0]
    shown = [one.cut(main.episodes) for one in runs]
    rows = summaries(runs)
    write_json(
        out / FIGURES,
        {
            "title": title(main),
            "family": main.evaluations[0].tasks.family,
            "split": main.evaluations[0].tasks.split,
            "agents": [row.to_json() for row in rows],
        },
    )
    colour = colours(runs)
    drawn, axis = by_step(shown) or (shown, BY_EPISODE)
    lines = {one.label for one in drawn} | {RANDOM, OPTIMUM}
    caption = curve_caption(drawn, axis, [one.label for one in shown if one.label not in lines])
    heading = "Learning in context" if main.memory == "trial" else "Along a trial"
    pictures = [Picture(heading, out / "curve.png", caption)]
    draw_curve(
        drawn,
        colour,
        pictures[0].path,
        heading=title(main),
        subheading=curve_subheading(main),
        axis=axis,
    )
    film, heading = out / "episodes.png", f"{title(main)}: a trial a row, the weights frozen"
    played = next((e for e in main.evaluations if draw_episodes(e, film, heading=heading)), None)
    if played is not None:
        caption = episodes_caption(main, played)
        pictures.append(Picture("The same weights, later", film, caption))
    agents = [one for one in shown if not one.is_reference] or shown[:1]
    counts = draw_tasks(agents, colour, out / "tasks.png", heading=f"{title(main)}: task by task")
    caption = tasks_caption(agents, *counts)
    pictures.append(Picture("Every task for itself", out / "tasks.png", caption))
    write_text(out / "index.html", page(shown, rows, colour, pictures))
    return rows


def summaries(runs: Sequence[AgentRuns]) -> list[Summary]:
    """A row of figures for each agent, all over as many episodes as the first one's trials have;
    and one more for a source that went on after them, over its whole life.
    """
    episodes = runs[0].episodes
    rows = []
    for one in runs:
        rows.append(summarise(one.cut(episodes)))
        if one.name == SOURCE and one.episodes > episodes:
            rows.append(summarise(one, f"{one.label}, after {one.episodes} episodes"))
    return rows
