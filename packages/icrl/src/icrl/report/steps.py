"""Trials of one episode: what is earned in each part of it, where there is no curve by episode."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from icrl.evaluation import Evaluation
from icrl.report.curve import Axis
from icrl.report.runs import AgentRuns

MOST_PARTS = 25


def by_step(runs: Sequence[AgentRuns]) -> tuple[list[AgentRuns], Axis] | None:
    """The same results with a part of the episode in the place of an episode, and the mean reward
    of a step in the place of a return.

    An agent of whom no rewards are known is left out; None if that is the first one.
    """
    main = runs[0].rewards()
    if main is None:
        return None
    steps = main.shape[2]
    each = -(-steps // MOST_PARTS)
    parts = [_in_parts(one, each) for one in runs if _length(one) == steps]
    along = "step in context" if each == 1 else f"step in context, means of {each}"
    return parts, Axis(along, "reward of a step", each)


def _length(one: AgentRuns) -> int | None:
    rewards = one.rewards()
    return None if rewards is None else rewards.shape[2]


def _in_parts(one: AgentRuns, each: int) -> AgentRuns:
    return replace(one, evaluations=tuple(_parts(found, each) for found in one.evaluations))


def _parts(evaluation: Evaluation, each: int) -> Evaluation:
    """Whole parts; the steps that fill none are left out."""
    assert evaluation.rewards is not None
    trials, steps = evaluation.rewards.shape
    whole = evaluation.rewards[:, : steps - steps % each]
    returns = whole.reshape(trials, -1, each).mean(axis=2)
    optimal, random = evaluation.optimal_return, evaluation.random_return
    return replace(
        evaluation,
        returns=returns,
        lengths=np.full(returns.shape, each, np.int32),
        success=None,
        optimal_return=None if optimal is None else optimal / steps,
        random_return=None if random is None else random / steps,
    )
