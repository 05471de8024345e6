"""AgentRuns: all results of one agent on one family, put side by side."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from icrl import statistics
from icrl.errors import UsageError
from icrl.evaluation import OPTIMUM, RANDOM, SOURCE, Evaluation
from icrl.statistics import Estimate, Unit

REFERENCES = (SOURCE, RANDOM, OPTIMUM)
"""What agents are held against, in the order in which it is shown."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AgentRuns:
    """The results of one agent: one for each training seed."""

    name: str
    """The agent's."""
    label: str
    """What it is called here: its name, and what sets it apart from others of that name."""
    evaluations: tuple[Evaluation, ...]

    @property
    def is_reference(self) -> bool:
        """Whether this is the source, chance or the optimum."""
        return self.name in REFERENCES

    @property
    def num_seeds(self) -> int:
        """Training seeds."""
        return len(self.evaluations)

    @property
    def num_tasks(self) -> int:
        """Tasks that each training seed plays."""
        return len(self.evaluations[0].tasks)

    @property
    def num_trials(self) -> int:
        """Trials of all training seeds together."""
        return sum(evaluation.num_trials for evaluation in self.evaluations)

    @cached_property
    def episodes(self) -> int:
        """Episodes that every trial has."""
        return min(evaluation.episodes for evaluation in self.evaluations)

    @cached_property
    def same_tasks(self) -> bool:
        """Whether all training seeds play the same tasks, in the same order."""
        first, *others = self.evaluations
        return all(
            torch.equal(first.tasks.arrays[name], other.tasks.arrays[name])
            for other in others
            for name in first.tasks.arrays
        )

    @property
    def unit(self) -> Unit:
        """What a bootstrap resamples."""
        if self.num_seeds == 1:
            return "tasks"
        return "seeds" if self.same_tasks else "seeds, then their tasks"

    @property
    def memory(self) -> str:
        """How long its context lasts: `none`, `episode` or `trial`, which is also taken of what
        says nothing.
        """
        known = self.evaluations[0].memory
        return known if known in ("none", "episode") else "trial"

    def cut(self, episodes: int) -> "AgentRuns":
        """The same with no more than so many episodes of each trial."""
        return replace(self, evaluations=tuple(_cut(one, episodes) for one in self.evaluations))

    def returns(self) -> Floats:
        """Mean returns of each task's trials, [seeds, tasks, episodes]."""
        return np.stack([e.by_task(e.returns)[:, : self.episodes] for e in self.evaluations])

    def rewards(self) -> Floats | None:
        """Mean rewards of each task's trials at each step, [seeds, tasks, steps]; None unless all
        trials are single episodes of one length.
        """
        found = [e.by_task(e.rewards) for e in self.evaluations if e.rewards is not None]
        if len(found) < self.num_seeds or len({each.shape for each in found}) > 1:
            return None
        return np.stack(found)

    def optimal(self) -> Floats | None:
        """Each task's optimum, [seeds, tasks]; None if unknown, or an episode was cut short, which
        no whole one can be held against.
        """
        return _stacked([None if e.cut else e.optimal_return for e in self.evaluations])

    def random(self) -> Floats | None:
        """What chance earns in each task, [seeds, tasks]; None as `optimal` is."""
        return _stacked([None if e.cut else e.random_return for e in self.evaluations])

    def normalised(self, returns: Floats) -> Floats | None:
        """Returns [seeds, tasks, ...] between chance (0) and the optimum (1); None if unknown."""
        optimal, random = self.optimal(), self.random()
        if optimal is None or random is None:
            return None
        flat = returns.reshape(-1, *returns.shape[2:])
        scores = statistics.normalised(flat, random.ravel(), optimal.ravel())
        return np.asarray(scores, np.float64).reshape(returns.shape)

    def solved(self) -> NDArray[np.bool_] | None:
        """Whether each trial solved its task, of all training seeds."""
        found = [evaluation.solved() for evaluation in self.evaluations]
        known = [solved for solved in found if solved is not None]
        return np.concatenate(known) if len(known) == len(found) else None

    def estimate(self, scores: Floats, statistic: Any = statistics.mean) -> Estimate:
        """A statistic of scores [seeds, tasks, ...] with its interval; tasks without a score (NaN)
        do not count.
        """
        return statistics.bootstrap(_without_missing(scores), statistic, unit=self.unit)


def group(evaluations: Sequence[Evaluation]) -> list[AgentRuns]:
    """Results by agent: first the agents, in the order given (if there is none, whatever was given
    first), then the references.

    Results of one agent with the same `details` are its training seeds; with other details
    (`argmax`, say) they are another entry. A result given twice counts once.

    Raises:
        UsageError: for results of different families, arguments (but for seeds) or splits, for
            different results of one training seed, and for training seeds that played different
            numbers of tasks.
    """
    if not evaluations:
        raise UsageError("a report needs at least one result.")
    first = evaluations[0]
    for other in evaluations[1:]:
        if _subject(other) != _subject(first):
            raise UsageError(
                f"these results cannot be compared: {first.agent} played {_described(first)}, "
                f"{other.agent} played {_described(other)}. Write a report for each."
            )
    entries: dict[tuple[str, str], list[Evaluation]] = {}
    for evaluation in evaluations:
        key = evaluation.agent, json.dumps(_flat(evaluation), sort_keys=True)
        entries.setdefault(key, []).append(evaluation)
    runs = [_runs(found, list(entries.values())) for found in entries.values()]
    agents = [one for one in runs if not one.is_reference] or runs[:1]
    references = [one for name in REFERENCES for one in runs if one.name == name]
    return agents + [one for one in references if one not in agents]


def _runs(found: list[Evaluation], entries: Sequence[list[Evaluation]]) -> AgentRuns:
    """The results of one entry, beside the others of a report."""
    name = found[0].agent
    ours = _flat(found[0])
    namesakes = [_flat(other[0]) for other in entries if other[0].agent == name]
    apart = [
        key if value is True else f"{key} {value}"
        for key, value in ours.items()
        if value is not False and any(other.get(key) != value for other in namesakes)
    ]
    label = f"{name} ({', '.join(apart)})" if apart else name
    counts = {len(evaluation.tasks) for evaluation in found}
    if len(counts) > 1:
        raise UsageError(
            f"results of {label} have {' and '.join(map(str, sorted(counts)))} tasks. Evaluate "
            "each training seed on equally many (--num-tasks)."
        )
    by_seed: dict[int, Evaluation] = {}
    for evaluation in found:
        seed = seed_of(evaluation)
        if seed in by_seed and not _equal(by_seed[seed], evaluation):
            raise UsageError(
                f"there are two different results of {label} with seed {seed}. Give one of them."
            )
        by_seed.setdefault(seed, evaluation)
    return AgentRuns(name, label, tuple(by_seed[seed] for seed in sorted(by_seed)))


def seed_of(evaluation: Evaluation) -> int:
    """The training seed, or for what was not trained, the seed of its evaluation."""
    return evaluation.seed if evaluation.training_seed is None else evaluation.training_seed


def _flat(evaluation: Evaluation) -> dict[str, Any]:
    """The details without tables in tables."""
    flat: dict[str, Any] = {}
    for name, value in evaluation.details.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat


def _equal(one: Evaluation, other: Evaluation) -> bool:
    same_tasks = all(
        torch.equal(array, other.tasks.arrays[name]) for name, array in one.tasks.arrays.items()
    )
    return same_tasks and np.array_equal(one.returns, other.returns)


def _subject(evaluation: Evaluation) -> tuple[Any, ...]:
    tasks = evaluation.tasks
    arguments = {k: v for k, v in tasks.arguments.items() if not k.endswith("seed")}
    return tasks.family, arguments, tasks.split


def _described(evaluation: Evaluation) -> str:
    family, arguments, split = _subject(evaluation)
    given = "".join(f" {name}={value}" for name, value in arguments.items())
    return f"{family}{given} ({split})"


def _cut(evaluation: Evaluation, episodes: int) -> Evaluation:
    kept = slice(0, episodes)
    success = evaluation.success
    return replace(
        evaluation,
        returns=evaluation.returns[:, kept],
        lengths=evaluation.lengths[:, kept],
        success=None if success is None else success[:, kept],
    )


def _stacked(parts: Sequence[NDArray[np.float32] | None]) -> Floats | None:
    found = [np.asarray(part, np.float64) for part in parts if part is not None]
    return np.stack(found) if len(found) == len(parts) else None


def _without_missing(scores: Floats) -> Floats:
    known = np.isfinite(scores).reshape(*scores.shape[:2], -1).all(axis=(0, 2))
    return scores[:, known]
