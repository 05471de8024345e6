"""Exchange with Minari: a history store as a Minari dataset, and any Minari dataset as histories.

A Minari dataset is a list of episodes. Those of a stream follow each other there, and the metadata
of each name its stream and its task, so that what was exported here is imported as it was.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.agent import Interface
from icrl.errors import UsageError
from icrl.histories.manifest import Manifest
from icrl.histories.store import HistoryStore
from icrl.spaces import from_arrays, leaf_spaces, to_arrays
from icrl.tasks import Tasks
from icrl.trees import Tree, map_tree

METADATA = "icrl"
"""The key of a dataset's metadata under which the store's manifest stands."""


def to_minari(
    store: HistoryStore,
    dataset_id: str,
    *,
    streams: Sequence[int] | None = None,
    **metadata: Any,
) -> Any:
    """Write streams of a store as a new local Minari dataset, and return it.

    An episode that the end of the recording cut loses its last step, since where that led was not
    recorded; what is left of it counts as truncated. Optional columns become `infos`.

    Args:
        store: the histories.
        dataset_id: Minari's name, `dark-room/q-learning-v0`.
        streams: which streams; default: all. Minari keeps every episode as a group of its own, so
            that thousands of streams take long.
        metadata: what `minari.create_dataset_from_buffers` takes besides (`author`, ...).

    Raises:
        UsageError: if Minari is not installed.
        ConfigError: if the store has no whole shard.
    """
    minari = _minari()
    from minari.data_collector import EpisodeBuffer

    chosen, tasks = range(store.num_streams) if streams is None else streams, store.tasks
    episodes = [episode for stream in chosen for episode in _episodes_of(store, stream, tasks)]
    manifest = replace(store.manifest, plan=None, shards=())
    with warnings.catch_warnings():  # Minari reminds of each piece of metadata that nobody gave
        warnings.simplefilter("ignore", UserWarning)
        dataset = minari.create_dataset_from_buffers(
            dataset_id,
            [EpisodeBuffer(**content) for content, _ in episodes],
            observation_space=manifest.interface.observation_space,
            action_space=manifest.interface.action_space,
            jpeg_encoding=False,
            **({"algorithm_name": manifest.source} | metadata),
        )
    dataset.storage.update_episode_metadata([described for _, described in episodes])
    dataset.storage.update_metadata({METADATA: json.dumps(manifest.to_json())})
    return dataset


def from_minari(dataset: Any, directory: Path) -> HistoryStore:
    """Write a Minari dataset as a history store; go on where an interrupted call stopped.

    Of a dataset that `to_minari` did not write, all episodes are one history, in their order, on a
    task called 0, and the family is the dataset's environment.

    Args:
        dataset: a `minari.MinariDataset`, or the id of a local one.
        directory: where the store is to be.

    Raises:
        UsageError: if Minari is not installed.
        OutputError: if the directory holds something else.
    """
    minari = _minari()
    if isinstance(dataset, str):
        dataset = minari.load_dataset(dataset)
    manifest = _manifest_of(dataset)
    store = HistoryStore.create(directory, manifest)
    streams = _streams_of(dataset, manifest.interface)
    by_length = groupby(streams, key=lambda stream: len(stream.rows["reward"]))
    whole = {shard.number for shard in store.shards}
    for number, (steps, of_one_length) in enumerate(by_length):
        if number not in whole:
            _record(store, number, list(of_one_length), steps)
    return store


@dataclass(frozen=True)
class _Stream:
    """One history to be imported."""

    task: Mapping[str, Any]
    rows: Mapping[str, Tree]
    """What `HistoryRecorder.step` takes by name, [steps, ...] each."""


def _episodes_of(
    store: HistoryStore, stream: int, tasks: Tasks
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What Minari keeps of each episode of a stream, and the metadata that say whose it is."""
    row = stream
    for shard in store.shards:
        if row < shard.streams:
            break
        row -= shard.streams
    else:
        raise IndexError(f"stream {stream} of {store.num_streams}")
    tensors, layout = store.shard_tensors(shard.number), store.layout
    interface = store.manifest.interface
    ended = tensors["terminated"] | tensors["truncated"]
    outcome = int(ended[:row].sum())
    ends = (ended[row].nonzero()[:, 0] + 1).tolist()
    cut = shard.steps - 1  # where the last step of a cut episode led was not recorded
    task = {f"task/{name}": array for name, array in tasks.row(stream).items()}
    described = {"stream": stream} | task
    for start, stop in zip([0, *ends], [*ends, cut], strict=True):
        if start >= stop:
            continue
        is_whole = bool(ended[row, stop - 1])

        def rows(column: Any, span: slice = slice(start, stop)) -> Tensor:
            return tensors[column.name][row, span]

        opening = map_tree(rows, layout.observation)
        if is_whole:
            last = map_tree(lambda c, at=outcome: tensors[c.name][at : at + 1], layout.outcome)
            outcome += 1
        else:
            after = slice(stop, stop + 1)
            last = map_tree(lambda c, after=after: rows(c, after), layout.observation)
        observation = map_tree(lambda *parts: torch.cat(parts), opening, last)
        truncated = rows(layout.TRUNCATED).clone()
        truncated[-1] |= not is_whole
        content = {
            "observations": _to_values(interface.observation_space, observation),
            "actions": _to_values(interface.action_space, map_tree(rows, layout.action)),
            "rewards": rows(layout.REWARD).numpy(),
            "terminations": rows(layout.TERMINATED).numpy(),
            "truncations": truncated.numpy(),
            "infos": {name: rows(c).numpy() for name, c in layout.optional.items()} or None,
        }
        yield content, described


def _manifest_of(dataset: Any) -> Manifest:
    """The manifest under which a dataset is imported."""
    ours = dataset.storage.metadata.get(METADATA)
    if ours is not None:
        return Manifest.from_json(json.loads(ours))
    family = dataset.env_spec.id if dataset.env_spec is not None else dataset.id
    horizon = dataset.env_spec.max_episode_steps if dataset.env_spec is not None else None
    return Manifest(
        interface=Interface(dataset.observation_space, dataset.action_space, horizon, family, {}),
        split="train",
        source="minari",
        config={"dataset": dataset.id},
        seed=0,
    )


def _streams_of(dataset: Any, interface: Interface) -> Iterator[_Stream]:
    """The histories of a dataset, one after another."""
    described: Iterable[Mapping[str, Any]]
    is_ours = METADATA in dataset.storage.metadata
    if is_ours:
        described = dataset.storage.get_episode_metadata(dataset.episode_indices)
    else:
        described = [{"stream": 0, "task": {"number": 0}}] * len(dataset)
    pairs = zip(described, dataset, strict=True)
    for _, of_stream in groupby(pairs, key=lambda pair: int(pair[0]["stream"])):
        metadata, episodes = zip(*of_stream, strict=True)
        parts = [_rows_of(episode, interface) for episode in episodes]
        if is_ours:
            for part, episode in zip(parts, episodes, strict=True):
                columns = episode.infos or {}
                part |= {name: torch.from_numpy(np.array(a)) for name, a in columns.items()}
        rows = {
            name: map_tree(lambda *leaves: torch.cat(leaves), *(part[name] for part in parts))
            for name in parts[0]
        }
        yield _Stream(metadata[0]["task"], rows)


def _rows_of(episode: Any, interface: Interface) -> dict[str, Tree]:
    """The rows of one episode, [steps, ...]."""
    observed = _from_values(interface.observation_space, episode.observations)
    terminated = torch.from_numpy(np.array(episode.terminations, bool))
    truncated = torch.from_numpy(np.array(episode.truncations, bool))
    truncated[-1] |= ~terminated[-1]  # Minari also holds episodes that were just left
    return {
        "observation": map_tree(lambda tensor: tensor[:-1], observed),
        "action": _from_values(interface.action_space, episode.actions),
        "reward": torch.from_numpy(np.array(episode.rewards, np.float32)),
        "terminated": terminated,
        "truncated": truncated,
        "outcome": map_tree(lambda tensor: tensor[1:], observed),
    }


def _record(store: HistoryStore, number: int, streams: Sequence[_Stream], steps: int) -> None:
    """Write streams of one length as the shard of this number, unless another writer has it."""
    arrays = {
        name: torch.from_numpy(np.stack([np.asarray(stream.task[name]) for stream in streams]))
        for name in streams[0].task
    }
    interface, split = store.manifest.interface, store.manifest.split
    tasks = Tasks(interface.family, interface.arguments, split, arrays)
    rows = {
        name: map_tree(lambda *leaves: torch.stack(leaves, 1), *(s.rows[name] for s in streams))
        for name in streams[0].rows
    }
    recorder = store.claim(number, tasks, streams_per_task=1, steps=steps)
    if recorder is None:
        return
    with recorder:
        for step in range(steps):
            recorder.step(
                **{
                    name: map_tree(lambda tensor, step=step: tensor[step], tree)
                    for name, tree in rows.items()
                }
            )


def _to_values(space: Space, tree: Tree) -> Any:
    """Rows of a tree as Minari holds them: arrays in the space's dtype, texts as strings."""

    def values(leaf: Space, rows: Tensor) -> Any:
        if isinstance(leaf, spaces.Text):
            return [from_arrays(leaf, row) for row in rows]
        return rows.numpy().astype(leaf.dtype)

    return map_tree(values, leaf_spaces(space), tree)


def _from_values(space: Space, values: Any) -> Tree:
    """The tree of tensors that Minari's arrays and strings stand for."""

    def rows(leaf: Space, held: Any) -> Tensor:
        return torch.from_numpy(np.stack([to_arrays(leaf, value) for value in held]))

    return map_tree(rows, leaf_spaces(space), values)


def _minari() -> Any:
    try:
        import minari
    except ImportError as error:
        raise UsageError(
            "exchange with Minari needs Minari: pip install 'icrl[minari]'."
        ) from error
    return minari
