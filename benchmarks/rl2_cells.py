"""Cells: what a published table asks of an agent on a family, played by ours and judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from icrl.agent import Interface
from icrl.config import Config
from icrl.families import TaskFamily
from icrl.interaction import play
from icrl.plugins import load_entry_point, make_family, plugin_host
from icrl.policy import Policy

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
    shared_trials: bool = False
    """Whether the settings differ only in how many episodes of a trial count: then the longest
    trials serve all."""

    def groups(self) -> list[tuple[int, ...]]:
        """The settings, by their places, that are measured together."""
        places = range(len(self.settings))
        return [tuple(places)] if self.shared_trials else [(place,) for place in places]


@dataclass(frozen=True)
class Amounts:
    """How many tasks are played."""

    test: int
    search: int


def measured_cells(
    table: Table, baseline: str, places: Sequence[int], amounts: Amounts
) -> list[dict[str, Any]]:
    """The cells of a group of settings: every reading until one lies within the tolerance, as plain
    data.
    """
    torch.set_num_threads(1)
    tried: dict[int, list[dict[str, Any]]] = {place: [] for place in places}
    for reading in table.readings[baseline]:
        left = [place for place in places if not (tried[place] and tried[place][-1]["within"])]
        for place, found in _measured(table, baseline, left, reading, amounts).items():
            tried[place].append(found)
    return [
        {
            "setting": table.settings[place].name,
            "baseline": baseline,
            "paper": table.published[baseline][place],
            "within": readings[0]["within"],
            "within_another_reading": not readings[0]["within"] and readings[-1]["within"],
            "readings": readings,
        }
        for place, readings in tried.items()
    ]


def _measured(
    table: Table, baseline: str, places: Sequence[int], reading: Reading, amounts: Amounts
) -> dict[int, dict[str, Any]]:
    """What a reading gives in each of some settings, which share their trials."""
    if not places:
        return {}
    settings = [table.settings[place] for place in places]
    family = make_family(settings[0].family, **settings[0].arguments)
    candidates = [{**reading.fixed, **found} for found in reading.grid]

    def played(candidate: Mapping[str, Any], of: list[Setting], *, search: bool) -> Tensor:
        return returns(
            family,
            reading.agent,
            candidate,
            [setting.episodes for setting in of],
            num_tasks=amounts.search if search else amounts.test,
            split="train" if search else "test",
            seed=SEARCH_SEED if search else TEST_SEED,
            rows_at_once=table.rows_at_once,
        )

    chosen = [0] * len(places)
    if len(candidates) > 1:
        searched = [played(candidate, settings, search=True).mean(0) for candidate in candidates]
        chosen = torch.stack(searched).argmax(0).tolist()
    found = {}
    for choice in sorted(set(chosen)):
        ours = [i for i, one in enumerate(chosen) if one == choice]
        earned = played(candidates[choice], [settings[i] for i in ours], search=False)
        for i, column in zip(ours, earned.unbind(1), strict=True):
            found[places[i]] = {
                "reading": reading.name,
                "agent": reading.agent,
                "settings": candidates[choice],
                **judged(column, table.published[baseline][places[i]]),
            }
    return found


def returns(
    family: TaskFamily,
    agent: str,
    settings: Mapping[str, Any],
    episodes: Sequence[int],
    *,
    num_tasks: int,
    split: str,
    seed: int,
    rows_at_once: int,
    device: torch.device = CPU,
) -> Tensor:
    """The reward of the first so many episodes of trials, [tasks, len(episodes)], of an agent by
    its name, on tasks of a split.
    """
    assert family.max_episode_steps is not None
    tasks = family.sample_tasks(num_tasks, split=split, seed=seed)
    ends = [family.max_episode_steps * count for count in episodes]
    earned = []
    for start in range(0, num_tasks, rows_at_once):
        batch = tasks[start : start + rows_at_once]
        env = family.vector_env(batch, device=device)
        total = torch.zeros(len(batch), dtype=torch.float64, device=device)
        until = torch.zeros(len(batch), len(ends), dtype=torch.float64, device=device)
        transitions = play(_policy(family, agent, settings, device), env, seed=seed + start)
        for step in range(1, max(ends) + 1):
            total += next(transitions).reward
            if step in ends:
                until[:, ends.index(step)] = total
        env.close()
        earned.append(until.cpu())
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


def _policy(
    family: TaskFamily, name: str, settings: Mapping[str, Any], device: torch.device
) -> Policy:
    spec = plugin_host().agents[name].spec
    config_class = load_entry_point(spec.config) if spec.config else Config
    agent_class = load_entry_point(spec.entry_point)
    return agent_class(config_class.from_dict(settings), Interface.of(family), device).policy()
