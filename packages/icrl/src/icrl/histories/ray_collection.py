"""Collecting on a Ray cluster: workers on any machine fill one store over a shared folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from icrl.errors import UsageError
from icrl.families import TaskFamily
from icrl.histories.collection import collect
from icrl.histories.store import HistoryStore
from icrl.run import Run
from icrl.source import Source
from icrl.tasks import Tasks


def collect_with_ray(
    source: Source,
    family: TaskFamily,
    tasks: Tasks,
    directory: Path,
    *,
    seed: int,
    run: Run,
    num_workers: int,
    **resources: Any,
) -> HistoryStore:
    """Collect with so many workers; the store is the one that `collect` would have written.

    Each worker claims a shard at a time, so that no more of them work than there are shards, and
    one that dies leaves its shard to the others. Ray is started on this machine unless it is
    connected to a cluster already, and `directory` must be the same folder on every machine.

    Args:
        source: the source, on the CPU or on a device that every worker has.
        family: the family.
        tasks: the tasks.
        directory: where the store is to be.
        seed: as for `collect`.
        run: as for `collect`; workers show no progress bars.
        num_workers: how many workers.
        resources: what each worker needs, as `ray.remote` takes it; default: `num_cpus=1`.

    Raises:
        UsageError: if Ray is not installed.
        OutputError, StorageError, DamagedFileError, TaskError: as `collect` does.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("collecting with Ray needs Ray: pip install 'icrl[ray]'.") from error
    worker = ray.remote(max_retries=3, **({"num_cpus": 1} | resources))(_work)
    quiet = replace(run, quiet=True)
    place = Path(directory).absolute()
    ray.get([worker.remote(source, family, tasks, place, seed, quiet) for _ in range(num_workers)])
    return HistoryStore.open(place)


def _work(
    source: Source, family: TaskFamily, tasks: Tasks, directory: Path, seed: int, run: Run
) -> None:
    collect(source, family, tasks, directory, seed=seed, run=run)
