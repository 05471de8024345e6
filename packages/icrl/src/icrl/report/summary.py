"""Summary: an agent's trials in one row of figures, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

import numpy as np

from icrl import statistics
from icrl.report.runs import AgentRuns
from icrl.statistics import Estimate, Improvement


@dataclass(frozen=True)
class Summary:
    """What an agent's trials come to."""

    agent: str
    """Its name."""
    entry: str
    """The label of its results in the report, which its colour goes by."""
    label: str
    """What the row is called."""
    num_seeds: int
    num_tasks: int
    num_trials: int
    episodes: tuple[int, int]
    """First and last of the episodes, counted from 1, over which `mean` to `area` are taken."""
    mean: Estimate
    """Mean return."""
    normalised: Estimate | None
    """Mean normalised score: 0 is chance, 1 the optimum; None where either is unknown."""
    interquartile: Estimate | None
    """Interquartile mean of the normalised scores."""
    percentile_20: float
    """20th percentile of the tasks' mean returns."""
    solved: float | None
    """Fraction of solved trials; None where nobody knows what solved is."""
    solved_rule: str
    area: float | None
    """Mean return over the whole trial, as a share of the optimum's."""
    first: float
    """Mean return of the first episodes of `improvement`."""
    last: float
    """Mean return of the last ones."""
    improvement: Improvement | None
    """Of the last over the first episodes; None for a trial of one episode."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "agent": self.agent,
            "label": self.label,
            "training_seeds": self.num_seeds,
            "tasks": self.num_tasks,
            "trials": self.num_trials,
            "episodes": list(self.episodes),
            "mean_return": _interval(self.mean),
            "normalised_mean": self.normalised and _interval(self.normalised),
            "normalised_iqm": self.interquartile and _interval(self.interquartile),
            "interval_over": self.mean.unit,
            "percentile_20": self.percentile_20,
            "solved": self.solved,
            "solved_rule": self.solved_rule,
            "normalised_area": self.area,
            "first_episodes": self.first,
            "last_episodes": self.last,
            "improvement_p_value": self.improvement and self.improvement.p_value,
        }


def summarise(runs: AgentRuns, label: str | None = None) -> Summary:
    """The figures of an agent's trials; in a row called `label`, by default as the agent is."""
    returns = runs.returns()
    late = statistics.last_part(runs.episodes)
    by_task = returns[:, :, late].mean(axis=2)
    normalised = runs.normalised(by_task)
    if normalised is not None and not np.isfinite(normalised).any():
        normalised = None
    solved = runs.solved()
    flat = returns.reshape(-1, runs.episodes)
    optimal = runs.optimal()
    area = None
    if optimal is not None and (optimal > 0).all():
        area = float(statistics.normalised_area(flat, optimal.ravel()).mean())
    improvement = statistics.learns_in_context(flat) if runs.episodes > 1 else None
    edge = improvement.num_episodes if improvement else 1
    return Summary(
        agent=runs.name,
        entry=runs.label,
        label=label or runs.label,
        num_seeds=runs.num_seeds,
        num_tasks=runs.num_tasks,
        num_trials=runs.num_trials,
        episodes=(late.start + 1, late.stop),
        mean=runs.estimate(by_task),
        normalised=None if normalised is None else runs.estimate(normalised),
        interquartile=None
        if normalised is None
        else runs.estimate(normalised, statistics.interquartile_mean),
        percentile_20=float(statistics.percentile_20(by_task.ravel())),
        solved=None if solved is None else float(solved.mean()),
        solved_rule=runs.evaluations[0].solved_rule,
        area=area,
        first=float(flat[:, :edge].mean()),
        last=float(flat[:, -edge:].mean()),
        improvement=improvement,
    )


def columns(summaries: Sequence[Summary]) -> list[str]:
    """The headings of `cells`."""
    first = summaries[0]
    late = statistics.episode_range(*first.episodes)
    edge = first.improvement.num_episodes if first.improvement else 1
    return [
        "agent",
        f"mean return, {late}",
        "normalised",
        "IQM",
        "20th percentile",
        "solved",
        "first → last" if edge == 1 else f"first {edge} → last {edge}",
        "p",
    ]


def cells(summary: Summary) -> list[str]:
    """A row of a table, as text."""
    return [
        summary.label,
        _text(summary.mean),
        _text(summary.normalised),
        _text(summary.interquartile),
        number(summary.percentile_20),
        "-" if summary.solved is None else f"{100 * summary.solved:.0f} %",
        f"{number(summary.first)} → {number(summary.last)}",
        p_text(summary.improvement.p_value).lstrip("= ") if summary.improvement else "-",
    ]


def number(value: SupportsFloat) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{round(float(value), 2) + 0.0:.2f}"


def p_text(p_value: float) -> str:
    """A p value with its relation, `= 0.013`."""
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"


def _interval(estimate: Estimate) -> dict[str, float]:
    return {
        "value": float(estimate.value),
        "low": float(estimate.low),
        "high": float(estimate.high),
    }


def _text(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"
