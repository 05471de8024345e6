"""Cells: what a published table asks of an agent on a family, played by ours and judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from icrl.agent import Interface
from icrl.config import Config
from icrl.families import TaskFamily
from icrl.interaction import play
from icrl.plugins import load_entry_point, make_family, plugin_host

PAPER_TASKS = 1000
"""On how many test tasks each of the paper's means was measured."""
RELATIVE_TOLERANCE = 0.015
SEARCH_SEED, TEST_SEED = 1, 0
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A line of a table: a family, and how many episodes a trial has."""

    name: str
    family: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    episodes: int = 1


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One way to read what the paper says of a baseline."""

    name: str
    agent: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the reading fixes."""
    grid: tuple[Mapping[str, Any], ...] = ({},)
    """Settings of which the best on training tasks are taken."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the paper: settings down, baselines across."""

    name: str
    title: str
    settings: tuple[Setting, ...]
    readings: Mapping[str, tuple[Reading, ...]]
    """Of each baseline: the first is ours; the others are tried where a cell lies outside."""
    published: Mapping[str, tuple[float, ...]]
    """The paper's means, of each baseline, by setting."""
    rows_at_once: int = 2500
    """How many tasks are played in one batch."""


@dataclass(frozen=True)
class Amounts:
    """How many tasks are played."""

    test: int
    search: int


def measured_cell(table: Table, baseline: str, index: int, amounts: Amounts) -> dict[str, Any]:
    """A cell: every reading until one lies within the tolerance, as plain data."""
    torch.set_num_threads(1)
    setting, published = table.settings[index], table.published[baseline][index]
    tried = []
    for reading in table.readings[baseline]:
        tried.append(_measured(table, setting, reading, published, amounts))
        if tried[-1]["within"]:
            break
    return {
        "setting": setting.name,
        "baseline": baseline,
        "paper": published,
        "within": tried[0]["within"],
        "within_another_reading": not tried[0]["within"] and tried[-1]["within"],
        "readings": tried,
    }


def _measured(
    table: Table, setting: Setting, reading: Reading, published: float, amounts: Amounts
) -> dict[str, Any]:
    family = make_family(setting.family, **setting.arguments)
    candidates = [{**reading.fixed, **settings} for settings in reading.grid]
    chosen = candidates[0]
    if len(candidates) > 1:
        searched = [
            float(
                returns(
                    family,
                    reading.agent,
                    candidate,
                    setting.episodes,
                    num_tasks=amounts.search,
                    split="train",
                    seed=SEARCH_SEED,
                    rows_at_once=table.rows_at_once,
                ).mean()
            )
            for candidate in candidates
        ]
        chosen = candidates[searched.index(max(searched))]
    earned = returns(
        family,
        reading.agent,
        chosen,
        setting.episodes,
        num_tasks=amounts.test,
        split="test",
        seed=TEST_SEED,
        rows_at_once=table.rows_at_once,
    )
    return {
        "reading": reading.name,
        "agent": reading.agent,
        "settings": chosen,
        **judged(earned, published),
    }


def returns(
    family: TaskFamily,
    agent: str,
    settings: Mapping[str, Any],
    episodes: int,
    *,
    num_tasks: int,
    split: str,
    seed: int,
    rows_at_once: int,
    device: torch.device = CPU,
) -> Tensor:
    """The reward of whole trials [tasks], of an agent by its name, on tasks of a split."""
    assert family.max_episode_steps is not None
    tasks = family.sample_tasks(num_tasks, split=split, seed=seed)
    steps = family.max_episode_steps * episodes
    earned = []
    for start in range(0, num_tasks, rows_at_once):
        batch = tasks[start : start + rows_at_once]
        env = family.vector_env(batch, device=device)
        total = torch.zeros(len(batch), dtype=torch.float64, device=device)
        transitions = play(_policy(family, agent, settings, device), env, seed=seed + start)
        for _ in range(steps):
            total += next(transitions).reward
        env.close()
        earned.append(total.cpu())
    return torch.cat(earned)


def judged(earned: Tensor, published: float) -> dict[str, Any]:
    """A mean beside the published one.

    The tolerance is the larger of 1.5 % and two standard errors of the difference, in which the
    paper's own error is ours, scaled to its 1,000 tasks.
    """
    deviation = float(earned.std())
    error, paper_error = deviation / len(earned) ** 0.5, deviation / PAPER_TASKS**0.5
    tolerance = max(RELATIVE_TOLERANCE * published, 2 * (error**2 + paper_error**2) ** 0.5)
    difference = float(earned.mean()) - published
    return {
        "mean": round(float(earned.mean()), 3),
        "standard_error": round(error, 4),
        "tolerance": round(tolerance, 3),
        "within": abs(difference) <= tolerance,
    }


def _policy(family: TaskFamily, name: str, settings: Mapping[str, Any], device: torch.device):
    spec = plugin_host().agents[name].spec
    config_class = load_entry_point(spec.config) if spec.config else Config
    agent_class = load_entry_point(spec.entry_point)
    return agent_class(config_class.from_dict(settings), Interface.of(family), device).policy()
