"""Exchange with Minari: what goes out comes back."""

import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.agent import Interface
from icrl.errors import UsageError
from icrl.histories import HistoryRecorder, HistoryStore, Manifest
from icrl.histories.minari_exchange import from_minari, to_minari
from icrl.spaces import stack
from icrl.tasks import Tasks
from icrl.trees import leaves, map_tree

needs_minari = pytest.mark.skipif(
    importlib.util.find_spec("minari") is None, reason="Minari is not installed"
)
OBSERVATION = spaces.Dict(
    {
        "position": spaces.Tuple([spaces.Discrete(7, start=-2), spaces.Box(-1.0, 1.0, (3,))]),
        "picture": spaces.Box(0, 255, (5, 11, 3), np.uint8),
        "says": spaces.Text(5),
    }
)
ACTION = spaces.MultiDiscrete([3, 2])
STEPS = 13
ENDS = ((4, 12), (0, 7))
"""The steps with which episodes of the two streams end; the second stream's last one is cut."""


def recorded(directory: Path) -> HistoryStore:
    """Two streams of samples of the spaces."""
    interface = Interface(OBSERVATION, ACTION, 9, "test/Any", {"size": 3})
    manifest = Manifest(interface=interface, split="train", source="script", config={}, seed=5)
    store = HistoryStore.create(directory, manifest)
    trees = []
    for space in (OBSERVATION, ACTION):
        space.seed(0)
        trees.append(stack(space, [space.sample() for _ in range(2 * STEPS + 2)]))
    tasks = Tasks("test/Any", {"size": 3}, "train", {"goal": torch.tensor([[1, 2], [3, 4]])})
    with store.append(tasks, streams_per_task=1, steps=STEPS) as recorder:
        for t in range(STEPS):
            ended = torch.tensor([t in ends for ends in ENDS])
            by_termination = torch.tensor([True, False])
            recorder.step(
                *(map_tree(lambda leaf, t=t: leaf[2 * t : 2 * t + 2], tree) for tree in trees),
                torch.tensor([t + 0.5, -t]),
                ended & by_termination,
                ended & ~by_termination,
                map_tree(lambda leaf, t=t: leaf[2 * t + 2 : 2 * t + 4], trees[0]),
                update=torch.tensor([t, 100 + t], dtype=torch.int16),
            )
    return store


@needs_minari
def test_what_was_exported_is_imported_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    store = recorded(tmp_path / "store")
    dataset = to_minari(store, "test/script-v0", author="a tester")
    assert [len(dataset[i]) for i in range(len(dataset))] == [5, 8, 1, 7, 4]
    imported = from_minari("test/script-v0", tmp_path / "imported")
    assert imported.manifest.interface == store.manifest.interface
    assert imported.manifest.source == "script"
    assert imported.num_streams == 2
    for stream, steps in ((0, STEPS), (1, STEPS - 1)):
        ours, theirs = (
            s.windows(
                17,
                steps,
                generator=torch.Generator(),
                device="cpu",
                from_start=1.0,
                columns=("update",),
            )
            for s in (store, imported)
        )
        ours_at, theirs_at = (w.stream.tolist().index(stream) for w in (ours, theirs))
        for name in ("observation", "action", "reward", "outcome", "terminated", "episode_start"):
            trees = (getattr(ours.timesteps, name), getattr(theirs.timesteps, name))
            for (path, a), (_, b) in zip(*map(leaves, trees), strict=True):
                assert torch.equal(a[ours_at], b[theirs_at]), (name, path)
        assert torch.equal(ours.action[ours_at], theirs.action[theirs_at])
        assert torch.equal(ours.columns["update"][ours_at], theirs.columns["update"][theirs_at])
    assert torch.equal(imported.tasks.arrays["goal"], store.tasks.arrays["goal"])


@needs_minari
def test_an_interrupted_import_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    to_minari(recorded(tmp_path / "store"), "test/script-v0", author="a tester")
    whole = from_minari("test/script-v0", tmp_path / "whole")
    assert len(whole.shards) == 2, "the streams have two lengths"
    taken = HistoryRecorder.step

    def interrupted(recorder: HistoryRecorder, *args: Any, **columns: Any) -> None:
        if recorder.steps != whole.shards[0].steps and recorder.recorded == 5:
            raise KeyboardInterrupt
        taken(recorder, *args, **columns)

    monkeypatch.setattr(HistoryRecorder, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        from_minari("test/script-v0", tmp_path / "resumed")
    monkeypatch.setattr(HistoryRecorder, "step", taken)
    assert len(HistoryStore.open(tmp_path / "resumed").shards) == 1
    resumed = from_minari("test/script-v0", tmp_path / "resumed")
    assert [s.checksum for s in resumed.shards] == [s.checksum for s in whole.shards]


@needs_minari
def test_a_dataset_of_someone_else_is_one_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    import minari
    from minari.data_collector import EpisodeBuffer

    def episode(steps: int, truncated: bool) -> EpisodeBuffer:
        return EpisodeBuffer(
            observations=np.arange(steps + 1),
            actions=np.ones(steps, np.int64),
            rewards=np.full(steps, 0.5),
            terminations=np.zeros(steps, bool),
            truncations=np.arange(steps) == (steps - 1 if truncated else -1),
        )

    with warnings.catch_warnings():  # Minari wants an author, a description and more
        warnings.simplefilter("ignore")
        dataset = minari.create_dataset_from_buffers(
            "test/other-v0",
            [episode(3, True), episode(5, False)],
            observation_space=spaces.Discrete(7),
            action_space=spaces.Discrete(2),
        )
    store = from_minari(dataset, tmp_path / "store")
    windows = store.windows(1, 8, generator=torch.Generator(), device="cpu")
    assert windows.timesteps.observation.tolist() == [[0, 1, 2, 0, 1, 2, 3, 4]]
    assert windows.timesteps.outcome.tolist() == [[0, 1, 2, 3, 1, 2, 3, 4]]
    assert store.info().episodes == 2, "an episode that was just left counts as truncated"
    assert store.info().family == "test/other-v0"


def test_without_minari_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(UsageError, match=r"pip install 'icrl\[minari\]'"):
        from_minari("test/any-v0", tmp_path)
