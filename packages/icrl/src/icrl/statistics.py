"""Statistics: means with bootstrap intervals, normalised scores, and whether an agent learns in
context.

Intervals are percentiles of a bootstrap, with the resampling that rliable defines (Agarwal et al.
2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice", arXiv:2108.13264).
Scores are arrays with the axes [seeds, tasks] first: training seeds, and held-out tasks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.floating]
Statistic: TypeAlias = Callable[..., Floats]
"""`statistic(scores, axis)` reduces one axis."""

RESAMPLES = 5_000
CELLS_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class Estimate:
    """A statistic with the interval that a bootstrap gives it; arrays where there was one for each
    episode.
    """

    value: Floats
    low: Floats
    high: Floats
    unit: "Unit"
    """What was resampled."""


Unit: TypeAlias = Literal["seeds", "tasks", "seeds, then their tasks"]
"""What a bootstrap resamples.

* `seeds`: within each task, the training seeds, as rliable does by default: how the figure would
  vary if the agent were trained again. For several seeds that play the same tasks.
* `tasks`: the tasks, for a single training seed (rliable's `task_bootstrap` with one run): how the
  figure would vary on other tasks. It says nothing of training anew.
* `seeds, then their tasks`: whole seeds, and in each the tasks that it played: for several seeds of
  which each has tasks of its own.
"""


def mean(scores: ArrayLike, axis: int = 0) -> Floats:
    """The mean along an axis."""
    return np.mean(np.asarray(scores, np.float64), axis=axis)


def interquartile_mean(scores: ArrayLike, axis: int = 0) -> Floats:
    """The mean of the middle half along an axis: the lowest and the highest quarter, rounded down,
    left out.
    """
    scores = np.asarray(scores)
    count = scores.shape[axis]
    cut = count // 4
    if cut == 0:
        return scores.mean(axis)
    ordered = np.partition(scores, (cut, count - cut - 1), axis=axis)
    return np.take(ordered, np.arange(cut, count - cut), axis=axis).mean(axis)


def percentile_20(scores: ArrayLike, axis: int = 0) -> Floats:
    """The 20th percentile along an axis: how the tasks fare on which the agent adapts badly."""
    return np.percentile(np.asarray(scores, np.float64), 20, axis=axis)


def bootstrap(
    scores: ArrayLike,
    statistic: Statistic = mean,
    *,
    unit: Unit | None = None,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """A statistic over seeds and tasks together, with its bootstrap percentile interval.

    Args:
        scores: [seeds, tasks] or [seeds, tasks, episodes]; every episode then has an interval of
            its own.
        statistic: reduces one axis, on which all seeds and tasks lie.
        unit: what is resampled; by default `seeds` if there are several, else `tasks`.
        resamples: how many.
        confidence: how much of the bootstrap distribution lies between `low` and `high`.
        seed: of the resampling.
    """
    scores = np.asarray(scores, np.float64)
    if unit is None:
        unit = "seeds" if scores.shape[0] > 1 else "tasks"
    generator = np.random.default_rng(seed)
    parts = [
        statistic(cells.reshape(len(cells), -1, *scores.shape[2:]), axis=1)
        for cells in _resampled(scores, unit, resamples, generator)
    ]
    tail = 50 * (1 - confidence)
    low, high = np.percentile(np.concatenate(parts), [tail, 100 - tail], axis=0)
    value = statistic(scores.reshape(-1, *scores.shape[2:]), axis=0)
    return Estimate(value, low, high, unit)


def _resampled(
    scores: Floats, unit: Unit, resamples: int, generator: np.random.Generator
) -> Iterator[Floats]:
    """Bootstrap samples [resamples, seeds, tasks, ...], in parts of bounded size."""
    seeds, tasks = scores.shape[:2]
    at_once = max(1, CELLS_AT_ONCE // max(1, scores.size))
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        if unit == "seeds":
            seed_index = generator.integers(seeds, size=(count, seeds, tasks))
            task_index = np.arange(tasks)
        elif unit == "tasks":
            seed_index = np.arange(seeds)[:, None]
            task_index = generator.integers(tasks, size=(count, 1, tasks))
        else:
            seed_index = generator.integers(seeds, size=(count, seeds, 1))
            task_index = generator.integers(tasks, size=(count, seeds, tasks))
        yield scores[seed_index, task_index]


def normalised(returns: ArrayLike, random: ArrayLike, optimal: ArrayLike) -> Floats:
    """(R - random) / (optimal - random): 0 is random, 1 the best that can be; not clipped.

    Args:
        returns: [tasks, ...].
        random: what uniformly random actions earn, [tasks].
        optimal: what the best policy that knows the task earns, [tasks].

    Returns:
        [tasks, ...]; NaN for a task in which the best earns no more than chance.
    """
    returns, random, optimal = (np.asarray(a, np.float64) for a in (returns, random, optimal))
    room = optimal - random
    room = np.where(room > 1e-9, room, np.nan)
    over = (slice(None),) + (None,) * (returns.ndim - 1)
    return (returns - random[over]) / room[over]


def normalised_area(returns: ArrayLike, optimal: ArrayLike) -> Floats:
    """The area under each task's return by episode, divided by the optimum's, [tasks].

    The NAUC of Tarasov et al., with the optimum as the expert. NaN for a task whose optimum is not
    positive.

    Args:
        returns: [tasks, episodes].
        optimal: [tasks].
    """
    optimal = np.asarray(optimal, np.float64)
    return np.mean(np.asarray(returns, np.float64), axis=1) / np.where(optimal > 0, optimal, np.nan)


def last_part(num_episodes: int) -> slice:
    """The episodes by which a trial is judged: its last third (of 60, episodes 41 to 60)."""
    return slice(num_episodes - max(1, num_episodes // 3), num_episodes)


def episode_range(first: int, last: int) -> str:
    """Episodes, counted from 1, in words."""
    return f"episode {last}" if first == last else f"episodes {first} to {last}"


def solved(
    returns: ArrayLike, success: ArrayLike | None = None, optimal: ArrayLike | None = None
) -> NDArray[np.bool_] | None:
    """Whether each trial solved its task, judged over its last third, [trials].

    Solved means success in at least half of those episodes, where success is reported; else a mean
    return of at least half of the task's own optimum. None where neither is known, or an optimum is
    not positive.

    Args:
        returns: [trials, episodes].
        success: [trials, episodes], or None.
        optimal: each trial's own optimum, [trials], or None.
    """
    returns = np.asarray(returns, np.float64)
    late = last_part(returns.shape[1])
    if success is not None:
        return np.asarray(success)[:, late].mean(1) >= 0.5
    if optimal is None or np.any(np.asarray(optimal) <= 0):
        return None
    return returns[:, late].mean(1) >= 0.5 * np.asarray(optimal)


@dataclass(frozen=True)
class Improvement:
    """A permutation test of the last against the first episodes of trials."""

    difference: float
    """Mean return of the last episodes less that of the first."""
    p_value: float
    """How often chance gives at least that difference, if an episode's place in its trial meant
    nothing.
    """
    num_episodes: int
    """How many first, and how many last episodes were compared."""
    num_trials: int
    """Over how many independent trials."""


def learns_in_context(
    returns: ArrayLike,
    *,
    num_episodes: int | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> Improvement:
    """Test whether the last episodes of trials earn more than the first.

    The trial is the unit, since its episodes depend on each other: under the null hypothesis a
    trial's first and last episodes can be exchanged, which flips the sign of its difference.
    One-sided; exact where there are at most `permutations` ways to flip signs, else drawn.

    Args:
        returns: [trials, episodes].
        num_episodes: how many first and last episodes; by default a sixth of the trial.
        permutations: how many sign flips are drawn.
        seed: of the draw.
    """
    returns = np.asarray(returns, np.float64)
    trials, episodes = returns.shape
    count = num_episodes or max(1, episodes // 6)
    if 2 * count > episodes:
        raise ValueError(
            f"{count} first and {count} last episodes overlap in a trial of {episodes} episodes."
        )
    differences = returns[:, -count:].mean(1) - returns[:, :count].mean(1)
    if 2**trials <= permutations:
        signs = 1 - 2.0 * ((np.arange(2**trials)[:, None] >> np.arange(trials)) & 1)
        extra = 0
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(permutations, trials))
        extra = 1
    as_large = signs @ differences >= differences.sum() - 1e-9 * np.abs(differences).sum()
    p_value = (as_large.sum() + extra) / (len(signs) + extra)
    return Improvement(float(differences.mean()), float(p_value), count, trials)
