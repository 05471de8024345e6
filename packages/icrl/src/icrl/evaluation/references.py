"""What agents are held against, as evaluations: the source that learns afresh, and the optimum."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from icrl.errors import UsageError
from icrl.evaluation.protocol import check_held_out, distinct, evaluate, known
from icrl.evaluation.result import Evaluation
from icrl.families import Solved, TaskFamily
from icrl.histories.columns import SUCCESS
from icrl.tasks import Tasks

if TYPE_CHECKING:
    from icrl.histories import HistoryStore

SOURCE, RANDOM, OPTIMUM = "source", "random", "optimum"
"""The names under which reports draw lines rather than agents."""


def source(
    store: "HistoryStore",
    family: TaskFamily,
    *,
    episodes: int | None = None,
    allow_training_tasks: bool = False,
    details: Mapping[str, Any] | None = None,
    command: str = "",
) -> Evaluation:
    """The source's own learning on held-out tasks, as an evaluation: each stream is a trial.

    Args:
        store: histories that the source recorded afresh on held-out tasks.
        family: whose tasks they are.
        episodes: the first so many episodes of each stream; None: as many as every stream has
            ended.
        allow_training_tasks: take histories of training tasks.
        details: what else a reader should know; the source's name and settings are there anyhow.
        command: the command line that asked for it.

    Raises:
        SplitError: for histories of training tasks.
        UsageError: if a stream has ended fewer episodes than asked for, or none at all.
    """
    manifest, rows = store.manifest, store.tasks
    check_held_out(rows.split, allow_training_tasks)
    family.check_tasks(rows)
    found = store.episodes()
    per_stream = torch.bincount(found.stream[found.ended], minlength=store.num_streams)
    fewest = int(per_stream.min())
    if fewest < max(1, episodes or 1):
        raise UsageError(
            f"a stream of {store.directory} ended {fewest} episodes, fewer than the "
            f"{episodes or 1} that are to be compared. Collect more steps for each stream, or "
            "compare fewer episodes."
        )
    count = episodes or fewest
    returns, lengths, success = _first_episodes(store, count)
    tasks, task = distinct(rows)
    return Evaluation(
        agent=SOURCE,
        tasks=tasks,
        task=task,
        seed=manifest.seed,
        returns=returns,
        lengths=lengths,
        success=success,
        reports_success=family.reports_success,
        optimal_return=known(family.optimal_return(tasks)),
        random_return=known(family.random_return(tasks)),
        episodes_asked=count,
        details={"source": manifest.source, "config": dict(manifest.config), **(details or {})},
        command=command,
    )


def optimum(
    family: TaskFamily,
    tasks: Tasks,
    episodes: int,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    max_steps: int | None = None,
    allow_training_tasks: bool = False,
    command: str = "",
) -> Evaluation | None:
    """What can be earned at best, as an evaluation; None where the family does not know it.

    A family that is `Solved` has its oracle play; else its `optimal_return` stands for every
    episode, with the horizon as its length.

    Raises:
        SplitError: for training tasks.
    """
    check_held_out(tasks.split, allow_training_tasks)
    if isinstance(family, Solved):
        return evaluate(
            family.oracle(tasks.to(device)),
            family.vector_env(tasks, device=device),
            episodes,
            seed,
            agent=OPTIMUM,
            max_steps=max_steps,
            allow_training_tasks=allow_training_tasks,
            command=command,
        )
    distinct_tasks, task = distinct(tasks.to("cpu"))
    optimal = known(family.optimal_return(distinct_tasks))
    if optimal is None:
        return None
    shape = (len(tasks), episodes)
    return Evaluation(
        agent=OPTIMUM,
        tasks=distinct_tasks,
        task=task,
        seed=seed,
        returns=np.broadcast_to(optimal[task][:, None], shape).copy(),
        lengths=np.full(shape, family.max_episode_steps or 0, np.int32),
        reports_success=family.reports_success,
        optimal_return=optimal,
        random_return=known(family.random_return(distinct_tasks)),
        episodes_asked=episodes,
        command=command,
    )


def _first_episodes(
    store: "HistoryStore", count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Returns, lengths and (where it was recorded) success of each stream's first ended episodes,
    [streams, count].
    """
    found = store.episodes()
    start = found.start.numpy()

    def column(name: str) -> np.ndarray:
        return np.concatenate(
            [store.shard_tensors(s.number)[name].reshape(-1).numpy() for s in store.shards]
        )

    total = np.add.reduceat(column("reward").astype(np.float64), start)
    stream = found.stream.numpy()
    first_of_stream = np.searchsorted(stream, np.arange(store.num_streams))
    chosen = first_of_stream[:, None] + np.arange(count)
    success = None
    if SUCCESS in store.layout.optional:
        recorded = column(store.layout.optional[SUCCESS].name)
        success = np.logical_or.reduceat(recorded, start)[chosen]
    lengths = found.length.numpy()[chosen].astype(np.int32)
    return total[chosen].astype(np.float32), lengths, success
