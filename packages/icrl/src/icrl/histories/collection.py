"""Collecting: a source fills a history store, shard by shard."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from icrl.agent import Interface
from icrl.families import TaskFamily
from icrl.histories.manifest import Manifest, Plan
from icrl.histories.store import HistoryStore
from icrl.run import Run
from icrl.source import Source
from icrl.tasks import Tasks

WAIT_SECONDS = 0.2
"""How often a writer with nothing left to claim looks whether the others have finished."""


def collect(
    source: Source, family: TaskFamily, tasks: Tasks, directory: Path, *, seed: int, run: Run
) -> HistoryStore:
    """Learn every task with the source and write all histories; go on where an earlier call
    stopped.

    Several processes, also on several machines over a shared folder, may call this with equal
    arguments: each shard is recorded by one of them, and all return when the store is complete.

    Raises:
        OutputError: if the directory holds something else.
        StorageError: if a write failed; whole shards stay.
        DamagedFileError: if a shard that is there is truncated or another store's.
        TaskError: if the tasks are another family's.
    """
    family.check_tasks(tasks)
    plan = Plan.of(
        tasks,
        tasks_per_shard=min(source.tasks_per_shard, len(tasks)),
        streams_per_task=source.streams_per_task,
        steps=source.steps,
    )
    manifest = Manifest(
        interface=Interface.of(family),
        split=tasks.split,
        source=source.name,
        config=source.config.to_dict(),
        seed=seed,
        plan=plan,
    )
    store = HistoryStore.create(directory, manifest)
    history = plan.streams_per_task * plan.steps
    done = sum(shard.streams * shard.steps for shard in store.shards)
    with run.progress(
        len(tasks) * history, "collecting histories", done=done, unit="steps"
    ) as advance:
        while not store.is_complete:
            if not _record_missing(store, source, tasks, seed, advance):
                time.sleep(WAIT_SECONDS)
                store.list_shards()
    return store


def shard_seed(seed: int, number: int) -> int:
    """The seed of a shard: what it holds depends on its place, never on who records it or when."""
    digest = hashlib.sha256(f"{seed}/shard/{number}".encode()).digest()
    return (
        int.from_bytes(digest[:4], "little") >> 1
    )  # NumPy's seeds end at 2^32, and a learner may add to it


def _record_missing(
    store: HistoryStore, source: Source, tasks: Tasks, seed: int, advance: Callable[..., object]
) -> bool:
    """Record every missing shard that no other writer has; whether there was one."""
    plan = store.manifest.plan
    assert plan is not None
    have = {shard.number for shard in store.shards}
    recorded = False
    for number in range(plan.num_shards):
        if number in have:
            continue
        of_shard = tasks[number * plan.tasks_per_shard : (number + 1) * plan.tasks_per_shard]
        recorder = store.claim(
            number,
            of_shard,
            streams_per_task=plan.streams_per_task,
            steps=plan.steps,
            device=source.device,
            advance=advance,
        )
        if recorder is not None:
            with recorder:
                source.record(of_shard, recorder, seed=shard_seed(seed, number))
            recorded = True
    return recorded
