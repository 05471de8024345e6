"""Manifest: what a history store says of itself, as `manifest.json`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from icrl.agent import Interface
from icrl.errors import DamagedFileError
from icrl.files import read_json
from icrl.histories.columns import Column, optional_from_json
from icrl.histories.shard import Shard
from icrl.tasks import Tasks
from icrl.versions import stack_versions

FORMAT = "icrl.histories"
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What collecting is to fill a store with: one shard for every so many tasks."""

    num_tasks: int
    tasks_checksum: str
    """Of what defines the tasks, in their order."""
    tasks_per_shard: int
    streams_per_task: int
    steps: int

    @classmethod
    def of(cls, tasks: Tasks, *, tasks_per_shard: int, streams_per_task: int, steps: int) -> Self:
        """The plan for these tasks."""
        digest = hashlib.sha256()
        for name, array in sorted(tasks.arrays.items()):
            data = array.detach().cpu().contiguous().numpy()
            digest.update(f"{name} {data.dtype} {data.shape}".encode())
            digest.update(data.tobytes())
        return cls(
            num_tasks=len(tasks),
            tasks_checksum=digest.hexdigest()[:16],
            tasks_per_shard=tasks_per_shard,
            streams_per_task=streams_per_task,
            steps=steps,
        )

    @property
    def num_shards(self) -> int:
        """Shards in the whole store."""
        return -(-self.num_tasks // self.tasks_per_shard)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Whose histories a store holds, and which shards it has.

    All but `packages` and `shards` is the store's identity: `key` digests it, and every shard
    carries the key.
    """

    interface: Interface
    """Spaces, horizon, family and arguments."""
    split: str
    """The split that the tasks come from."""
    source: str
    """The source's name."""
    config: Mapping[str, Any]
    """The source's settings."""
    seed: int
    """From which the seed of every shard is derived."""
    plan: Plan | None = None
    """None for a store that is filled by hand."""
    packages: Mapping[str, str] = field(default_factory=stack_versions)
    """Versions of what the store was begun with."""
    shards: tuple[Mapping[str, Any], ...] = ()
    """Number, rectangle and checksum of each whole shard."""

    @property
    def key(self) -> str:
        """The digest of the store's identity."""
        # Sorted: keyword arguments mean the same in any order.
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()

    def identity(self) -> dict[str, Any]:
        """What makes two stores the same store, as plain JSON data."""
        identity = {
            "format": FORMAT,
            "version": VERSION,
            **self.interface.to_json(),
            "split": self.split,
            "source": self.source,
            "config": dict(self.config),
            "seed": self.seed,
            "plan": None if self.plan is None else vars(self.plan),
        }
        return json.loads(json.dumps(identity))  # as it reads after a file: lists for tuples

    def with_shards(self, shards: Sequence[Shard]) -> Self:
        """The manifest of a store that has these shards."""
        return replace(
            self, shards=tuple(_entry(shard) for shard in sorted(shards, key=lambda s: s.number))
        )

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain JSON data."""
        return {**self.identity(), "packages": dict(self.packages), "shards": list(self.shards)}

    def to_bytes(self) -> bytes:
        """The text of `manifest.json`."""
        return (json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n").encode()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The manifest that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: if it is not one of this version.
        """
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']!r}")
        if data["version"] != VERSION:
            raise ValueError(f"its version is {data['version']}; this icrl reads version {VERSION}")
        return cls(
            interface=Interface.from_json(data),
            split=data["split"],
            source=data["source"],
            config=data["config"],
            seed=data["seed"],
            plan=None if data["plan"] is None else Plan(**data["plan"]),
            packages=data["packages"],
            shards=tuple(data["shards"]),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `manifest.json`.

        Raises:
            DamagedFileError: if it is missing, damaged, or of a version that this icrl does not
                read.
        """
        data = read_json(path)
        try:
            return cls.from_json(data)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedFileError(
                f"{path} is not the manifest of a history store: {error}. If its histories were "
                "collected here, delete it and run the same command again: whole shards stay."
            ) from error

    def optional_columns(self) -> dict[str, Column]:
        """The optional columns of the store, the same in every shard."""
        columns = self.shards[0]["optional"] if self.shards else {}
        return {name: optional_from_json(name, data) for name, data in columns.items()}

    def differences(self, other: "Manifest") -> list[str]:
        """In what the identity of another store differs, as readable phrases."""
        ours, theirs = self.identity(), other.identity()
        return [
            "{} is {} there, {} here".format(name.replace("_", " "), *_parts(theirs[name], value))
            for name, value in ours.items()
            if value != theirs[name]
        ]


def _entry(shard: Shard) -> dict[str, Any]:
    return {
        "number": shard.number,
        "file": shard.path.name,
        "tasks": shard.num_tasks,
        "streams": shard.streams,
        "steps": shard.steps,
        "ended_episodes": shard.ended,
        "optional": {name: column.to_json() for name, column in shard.optional.items()},
        "bytes": shard.num_bytes,
        "checksum": shard.checksum,
    }


def _parts(first: Any, second: Any) -> tuple[str, str]:
    """Two unequal values as text; of two dicts, only what is not equal."""
    if isinstance(first, dict) and isinstance(second, dict):
        names = [n for n in {**first, **second} if first.get(n) != second.get(n)]
        first, second = ({n: d[n] for n in names if n in d} for d in (first, second))
    texts = [json.dumps(value) for value in (first, second)]
    short, also_short = (t if len(t) <= 200 else f"{t[:200]} ..." for t in texts)
    return short, also_short
