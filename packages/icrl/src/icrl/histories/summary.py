"""StoreSummary: what a history store holds, at a glance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from icrl.histories.episodes import Episodes

if TYPE_CHECKING:
    from icrl.histories.store import HistoryStore


@dataclass(frozen=True, kw_only=True)
class StoreSummary:
    """What `icrl store info` shows."""

    directory: str
    family: str
    """The family's id."""
    arguments: Mapping[str, Any]
    """The family's keyword arguments."""
    split: str
    source: str
    config: Mapping[str, Any]
    """The source's settings."""
    seed: int
    shards: int
    """Whole shards."""
    planned_shards: int | None
    """Shards that collecting is to bring; None for a store filled by hand."""
    tasks: int
    streams: int
    steps: int
    """Steps of all streams together."""
    episodes: int
    """Episodes that ended."""
    mean_return_by_tenth: tuple[float | None, ...]
    """Mean return of the episodes that opened in each tenth of their history and ended; None where
    there are none.
    """
    optional_columns: tuple[str, ...]
    bytes: int
    """Size of the shards."""
    packages: Mapping[str, str]
    """Versions of what the store was begun with."""

    def rows(self) -> list[tuple[str, str]]:
        """Labels and values as a table shows them."""
        arguments = " ".join(f"{name}={value}" for name, value in self.arguments.items())
        settings = " ".join(f"{name}={value}" for name, value in self.config.items())
        returns = " ".join(
            "-" if mean is None else f"{mean:.3g}" for mean in self.mean_return_by_tenth
        )
        of_plan = f" of {self.planned_shards}" if self.planned_shards is not None else ""
        return [
            ("family", f"{self.family} {arguments}".strip()),
            ("split", self.split),
            ("source", f"{self.source} {settings}".strip()),
            ("seed", str(self.seed)),
            ("shards", f"{self.shards}{of_plan}"),
            ("tasks", f"{self.tasks:,}"),
            ("streams", f"{self.streams:,}"),
            ("steps", f"{self.steps:,}"),
            ("episodes", f"{self.episodes:,}"),
            ("mean return by tenth of the history", returns),
            ("optional columns", ", ".join(self.optional_columns) or "none"),
            ("size", f"{self.bytes / 1e6:,.1f} MB"),
            (
                "written with",
                " ".join(f"{name} {version}" for name, version in self.packages.items()),
            ),
        ]


def summary(store: "HistoryStore") -> StoreSummary:
    """Summarise a store; reads all of it."""
    manifest, shards = store.manifest, store.shards
    return StoreSummary(
        directory=str(store.directory),
        family=manifest.interface.family,
        arguments=manifest.interface.arguments,
        split=manifest.split,
        source=manifest.source,
        config=manifest.config,
        seed=manifest.seed,
        shards=len(shards),
        planned_shards=None if manifest.plan is None else manifest.plan.num_shards,
        tasks=sum(shard.num_tasks for shard in shards),
        streams=store.num_streams,
        steps=sum(shard.streams * shard.steps for shard in shards),
        episodes=sum(shard.ended for shard in shards),
        mean_return_by_tenth=_mean_return_by_tenth(store),
        optional_columns=tuple(manifest.optional_columns()),
        bytes=sum(shard.num_bytes for shard in shards),
        packages=manifest.packages,
    )


def _mean_return_by_tenth(store: "HistoryStore") -> tuple[float | None, ...]:
    totals, counts = torch.zeros(10, dtype=torch.float64), torch.zeros(10, dtype=torch.int64)
    for shard in store.shards:
        tensors = store.shard_tensors(shard.number)
        episodes = Episodes.of([tensors["terminated"] | tensors["truncated"]])
        earned = tensors["reward"].reshape(-1).double().cumsum(0)
        before = torch.cat([earned.new_zeros(1), earned])[episodes.start]
        returns = earned[episodes.start + episodes.length - 1] - before
        tenth = (episodes.first_step * 10 // shard.steps)[episodes.ended]
        totals.scatter_add_(0, tenth, returns[episodes.ended])
        counts += tenth.bincount(minlength=10)
    return tuple(
        total / number if number else None
        for total, number in zip(totals.tolist(), counts.tolist(), strict=True)
    )
