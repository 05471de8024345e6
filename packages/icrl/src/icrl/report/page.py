"""Page: the report as one HTML file with its pictures inside."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from icrl.evaluation import OPTIMUM, RANDOM, SOURCE, Evaluation
from icrl.report.curve import BY_EPISODE, Axis, levels
from icrl.report.runs import REFERENCES, AgentRuns
from icrl.report.summary import Summary, number, p_text
from icrl.report.tasks import UNSOLVED
from icrl.statistics import Estimate, Unit, episode_range

INTERVALS: Mapping[Unit, str] = {
    "tasks": "over tasks, since there is one training seed (how another would do is not in them)",
    "seeds": "over training seeds, stratified by task",
    "seeds, then their tasks": "over training seeds, and within each over the tasks that it played",
}

LEARNING = {
    "trial": "Weights frozen: all learning is in context.",
    "episode": "Weights frozen: what is learned in context ends with the episode.",
    "none": "Weights frozen, nothing remembered: no learning in context.",
}
"""What a policy can learn while it is evaluated, by how long its context lasts."""
OPENING = {
    "trial": "Every trial opens with an empty context and keeps it; weights are frozen.",
    "episode": "{label} opens every episode with an empty context; weights are frozen.",
    "none": "{label} has no context; weights are frozen.",
}


@dataclass(frozen=True)
class Picture:
    """A picture of the page."""

    heading: str
    path: Path
    caption: str
    """HTML."""


def page(
    runs: Sequence[AgentRuns],
    summaries: Sequence[Summary],
    colours: Mapping[str, str],
    pictures: Sequence[Picture],
) -> str:
    """The page as HTML; the first of `runs` is whom it is about, its curve the first picture."""
    main, first = runs[0], summaries[0]
    curve, *others = (_figure(picture) for picture in pictures)
    sections = [curve, _table(summaries, colours), *others, _making(runs)]
    template = Template((files("icrl.report") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title(main)),
        main=colours[main.label],
        subtitle=escape(_subtitle(main)),
        warnings="\n".join(f'<p class="warning">{escape(text)}</p>' for text in _warnings(runs)),
        lead=_lead(main, first),
        tiles="\n".join(_tiles(first)),
        sections="\n".join(sections),
    )


def title(main: AgentRuns) -> str:
    """What the report is called."""
    return f"{main.label} on {main.evaluations[0].tasks.family}"


def curve_caption(runs: Sequence[AgentRuns], axis: Axis, left_out: Sequence[str] = ()) -> str:
    """What the curve shows, what its bands are, and who could not be drawn."""
    main = runs[0]
    what = (
        "Return of each episode, in the environment's own units, as its place in the trial."
        if axis is BY_EPISODE
        else "Mean reward of the steps, in the environment's own units, from the first to the last "
        "of a trial, which is one episode."
    )
    parts = [
        f"{what} {OPENING[main.memory].format(label=main.label)}",
        f"Lines: means over {_counts(main)}. Bands: 95 % bootstrap percentile intervals "
        f"{INTERVALS[main.unit]}.",
    ]
    names = {one.name: one for one in runs}
    if SOURCE in names:
        source = names[SOURCE]
        tasks = f"{source.num_tasks} of these tasks"
        parts.append(
            f"Source (dashed): the reinforcement learner run afresh on "
            f"{'these tasks' if source.num_tasks == main.num_tasks else tasks}, "
            f"{_plural(source.num_trials, 'learning history', 'learning histories')}."
        )
    if known := levels(runs):
        parts.append(f"Level lines: {' and '.join(known)}, mean over the tasks.")
    if left_out:
        parts.append(f"Not drawn, since only whole returns are known: {', '.join(left_out)}.")
    return escape(" ".join(parts))


def curve_subheading(main: AgentRuns) -> str:
    """How many, and what the bands are, in one line."""
    over = {"seeds": "training seeds", "seeds, then their tasks": "training seeds and their tasks"}
    return (
        f"mean over {_counts(main)}; bands: 95 % bootstrap intervals over "
        f"{over.get(main.unit, main.unit)}"
    )


def tasks_caption(runs: Sequence[AgentRuns], shown: int, total: int) -> str:
    """What the small curves show."""
    main = runs[0]
    which = (
        ("The only held-out task" if total == 1 else f"All {total} held-out tasks, the worst first")
        if shown == total
        else f"{shown} of {total} held-out tasks, in equal steps from the worst on"
    )
    trials = main.num_trials // (main.num_tasks * main.num_seeds)
    lines = ", ".join(escape(one.label) for one in runs)
    rule = escape(main.evaluations[0].solved_rule)
    marks = (
        "" if main.solved() is None else f" {UNSOLVED} marks what is not solved (solved: {rule})."
    )
    drawn = "one trial" if trials == 1 else f"the mean of {trials} trials"
    dashed = "" if main.optimal() is None else " Dashed: the task's own optimum."
    return (
        f"{which}: return of each episode in {drawn} of {lines}, in the colours above."
        f"{dashed}{marks}"
    )


def episodes_caption(main: AgentRuns, evaluation: Evaluation) -> str:
    """What the pictures of episodes show."""
    seed = evaluation.training_seed
    of_seed = f" (training seed {seed})" if main.num_seeds > 1 and seed is not None else ""
    changing = (
        "so that what changes from left to right is the context alone"
        if main.memory == "trial"
        else "and nothing kept from one episode to the next: what changes from left to right is "
        "chance"
    )
    return escape(
        f"Episodes of {main.label}{of_seed} on held-out tasks, one trial a row: the same frozen "
        f"weights throughout, {changing}. What defines the task is drawn for the onlooker; the "
        "agent does not see it."
    )


def _subtitle(main: AgentRuns) -> str:
    evaluation = main.evaluations[0]
    arguments = "".join(
        f", {name} {value}"
        for name, value in evaluation.tasks.arguments.items()
        if not name.endswith("seed")
    )
    split = "held-out" if evaluation.tasks.split != "train" else "training"
    return (
        f"{_plural(main.num_tasks, f'{split} task')}{arguments}, "
        f"{_plural(main.episodes, 'episode')} a trial, "
        f"{_plural(main.num_seeds, 'training seed')}. {LEARNING[main.memory]}"
    )


def _warnings(runs: Sequence[AgentRuns]) -> list[str]:
    found: dict[str, list[str]] = {}
    for one in runs:
        for evaluation in one.evaluations:
            if evaluation.cut:
                what = "the first episode was cut short by the budget"
            elif evaluation.episodes < evaluation.episodes_asked and one.name != SOURCE:
                asked = evaluation.episodes_asked
                what = (
                    f"the budget ended the trials after {evaluation.episodes} of {asked} episodes"
                )
            else:
                continue
            if one.label not in found.setdefault(what, []):
                found[what].append(one.label)
    warnings = [f"{', '.join(names)}: {what}." for what, names in found.items()]
    if runs[0].evaluations[0].tasks.split == "train":
        warnings.insert(0, "These are training tasks: nothing here says how new tasks go.")
    return warnings


def _lead(main: AgentRuns, first: Summary) -> str:
    words = [
        f"In {_episodes(first)}, the frozen <b>{escape(first.label)}</b> earns "
        f"{_value(first.mean)} per episode"
    ]
    if first.normalised is not None:
        share = round(100 * float(first.normalised.value))
        words.append(
            f", {share} % of the way from chance to the optimum"
            if share > 0
            else ", no more than chance"
        )
    words.append(".")
    if first.improvement is not None:
        count = first.improvement.num_episodes
        one = count == 1
        if main.memory != "trial":
            verdict = "It keeps nothing from one episode to the next"
        elif first.improvement.p_value <= 0.05:
            verdict = "It learns in context"
        else:
            verdict = "That it learns in context is not shown"
        words.append(
            f" {verdict}: the first {'episode' if one else f'{count} episodes'} of a trial "
            f"{'earns' if one else 'earn'} {number(first.first)}, the last "
            f"{'one' if one else count} {number(first.last)} (permutation test over "
            f"{first.improvement.num_trials} trials, "
            f"{_unbroken('p ' + p_text(first.improvement.p_value))})."
        )
    return "".join(words)


def _tiles(first: Summary) -> list[str]:
    tiles = [_tile(_value(first.mean), "mean return", f"{_episodes(first)}, {_range(first.mean)}")]
    if first.normalised is not None:
        tiles.append(
            _tile(
                _value(first.normalised),
                "normalised score",
                f"0 is chance, 1 the optimum, {_range(first.normalised)}",
            )
        )
    if first.solved is not None:
        share = f"{round(first.solved * first.num_trials)} / {first.num_trials}"
        tiles.append(_tile(share, "trials solved", first.solved_rule))
    if first.improvement is not None:
        count = first.improvement.num_episodes
        tiles.append(
            _tile(
                f"{number(first.first)} → {number(first.last)}",
                f"first and last {'episode' if count == 1 else f'{count} episodes'}",
                f"p {p_text(first.improvement.p_value)}",
            )
        )
    return tiles


def _tile(value: str, label: str, note: str) -> str:
    return (
        f'<div class="tile"><b>{value}</b><span>{escape(label)}</span><i>{escape(note)}</i></div>'
    )


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.path.read_bytes()).decode()
    return (
        f"<section><h2>{escape(picture.heading)}</h2><figure>"
        f'<img alt="{escape(picture.heading)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{picture.caption}</figcaption></figure></section>"
    )


def _table(summaries: Sequence[Summary], colours: Mapping[str, str]) -> str:
    first = summaries[0]
    count = first.improvement.num_episodes if first.improvement else 1
    headings = (
        "",
        f"mean return<br>{_episodes(first)}",
        "normalised<br>mean",
        "normalised<br>IQM",
        "20th<br>percentile",
        "solved",
        "first → last<br>episode" if count == 1 else f"first {count} → last {count}<br>episodes",
    )
    rows = []
    for one in summaries:
        reference = ' class="reference"' if one.agent in REFERENCES else ""
        p_value = ""
        if one.improvement is not None and one.agent not in (RANDOM, OPTIMUM):
            p_value = f"<small>p {p_text(one.improvement.p_value)}</small>"
        data = (
            f'<span class="dot" style="background:{colours[one.entry]}"></span>{escape(one.label)}',
            _with_range(one.mean),
            _with_range(one.normalised),
            _with_range(one.interquartile),
            number(one.percentile_20),
            "–" if one.solved is None else f"{100 * one.solved:.0f} %",
            f"{number(one.first)} → {number(one.last)}{p_value}",
        )
        rows.append(f"<tr{reference}>" + "".join(f"<td>{cell}</td>" for cell in data) + "</tr>")
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    note = (
        f"Brackets: 95 % bootstrap percentile intervals {INTERVALS[first.mean.unit]}. Normalised: "
        "(return - random) / (optimum - random), each task by its own. IQM: mean of the middle "
        f"half. 20th percentile: of the tasks' mean returns. Solved: {first.solved_rule}. "
        "p: one-sided permutation test of last against first episodes, the trial as the unit."
    )
    return (
        f'<section><h2>In figures</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table></div><p class="note">{escape(note)}</p></section>'
    )


def _making(runs: Sequence[AgentRuns]) -> str:
    entries: list[tuple[str, str]] = []
    for one in runs:
        for evaluation in one.evaluations:
            entries.append((escape(one.label), _provenance(evaluation)))
    versions = runs[0].evaluations[0].versions
    entries.append(("versions", escape(", ".join(f"{n} {v}" for n, v in versions.items()))))
    body = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in entries)
    return f"<section><h2>How it was made</h2><dl>{body}</dl></section>"


def _provenance(evaluation: Evaluation) -> str:
    seeds = [f"evaluation seed {evaluation.seed}"]
    if evaluation.training_seed is not None:
        seeds.insert(0, f"training seed {evaluation.training_seed}")
    arguments = [f"{n} {v}" for n, v in evaluation.tasks.arguments.items() if n.endswith("seed")]
    details = [f"{name} {value}" for name, value in _flat(evaluation.details)]
    text = escape(", ".join([*seeds, *arguments, *details]))
    return f"<code>{escape(evaluation.command)}</code><br>{text}" if evaluation.command else text


def _flat(details: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        pair
        for name, value in details.items()
        for pair in (_flat(value) if isinstance(value, Mapping) else [(name, value)])
    ]


def _unbroken(text: str) -> str:
    return escape(text).replace(" ", "&nbsp;")


def _counts(one: AgentRuns) -> str:
    each = "" if one.same_tasks else " of each seed"
    parts = [_plural(one.num_tasks, "held-out task") + each]
    trials = one.num_trials // (one.num_tasks * one.num_seeds)
    parts.append("one trial each" if trials == 1 else f"{trials} trials each")
    parts.append(_plural(one.num_seeds, "training seed"))
    return ", ".join(parts)


def _plural(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def _episodes(one: Summary) -> str:
    return episode_range(*one.episodes)


def _value(estimate: Estimate) -> str:
    return number(estimate.value)


def _range(estimate: Estimate) -> str:
    return f"95 % interval {number(estimate.low)} to {number(estimate.high)}"


def _with_range(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    low, high = number(estimate.low), number(estimate.high)
    return f"{_value(estimate)}<small>[{low}, {high}]</small>"
