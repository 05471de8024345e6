"""Files are written whole or not at all."""

import errno
import os
import stat

import numpy as np
import pytest
import torch

from icrl import files
from icrl.errors import DamagedFileError, StorageError

STEPS = ("mkstemp", "fdopen", "fsync", "chmod", "replace")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    files.write_json(path, {"old": 1})
    return path


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_leaves_the_old_file_and_nothing_else(path, step, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.tempfile if step == "mkstemp" else files.os, step, fail)
    with pytest.raises(StorageError, match=r"the disk is full.*untouched"):
        files.write_json(path, {"new": 2})
    monkeypatch.undo()
    assert files.read_json(path) == {"old": 1}
    assert os.listdir(path.parent) == [path.name]


def test_an_interruption_leaves_the_old_file_and_nothing_else(path):
    def interrupted(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, interrupted)
    assert files.read_json(path) == {"old": 1}
    assert os.listdir(path.parent) == [path.name]


def test_a_new_file_gets_the_permissions_that_open_would_give(path, tmp_path):
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_tensors_survive_with_their_metadata(tmp_path):
    tensors = {"weight": torch.arange(6.0).reshape(2, 3).T, "step": torch.tensor(7)}
    files.write_tensors(tmp_path / "w.safetensors", tensors, {"kind": "policy"})
    loaded, metadata = files.read_tensors(tmp_path / "w.safetensors", required_metadata=["kind"])
    assert metadata == {"kind": "policy"}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_a_foreign_tensor_file_is_refused_by_what_it_lacks(tmp_path):
    files.write_tensors(tmp_path / "w.safetensors", {"weight": torch.zeros(3)}, {})
    with pytest.raises(DamagedFileError, match=r"w\.safetensors was not written by icrl.*kind"):
        files.read_tensors(tmp_path / "w.safetensors", required_metadata=["kind"])


def test_an_array_that_would_need_unpickling_is_refused(tmp_path):
    np.save(tmp_path / "returns.npy", np.array([{"evil": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DamagedFileError, match=r"returns\.npy"):
        files.read_array(tmp_path / "returns.npy")


def test_an_array_survives(tmp_path):
    files.write_array(tmp_path / "returns.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
    assert files.read_array(tmp_path / "returns.npy").tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("read", "content"),
    [(files.read_json, b"{"), (files.read_toml, b"= 3"), (files.read_array, b"\x93NUMPY")],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, read, content):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(DamagedFileError, match="broken"):
        read(tmp_path / "broken")


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(DamagedFileError, match=r"nowhere\.json"):
        files.read_json(tmp_path / "nowhere.json")


def test_equal_tensors_are_equal_files_byte_for_byte(tmp_path):
    metadata = {name: name * 3 for name in ("family", "arguments", "split", "purpose")}
    for number in range(7):
        files.write_tensors(
            tmp_path / str(number), {"b": torch.ones(3), "a": torch.zeros(5)}, metadata
        )
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    tensors, read = files.read_tensors(tmp_path / "0")
    assert read == metadata
    assert tensors["b"].tolist() == [1, 1, 1]
