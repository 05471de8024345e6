"""Whatever stops a writer, and wherever: whole shards stay, and collecting again ends with the same
bytes.
"""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from icrl.errors import DamagedFileError, StorageError
from icrl.histories import HistoryStore, claims, collect
from icrl.run import Run
from icrl.testing import TwoCells, WanderingConfig, WanderingSource

FAMILY = TwoCells()
WRITE_STEPS = ("open", "ftruncate", "pwrite", "fsync", "replace")


def wander(store: Path, **settings: int) -> HistoryStore:
    """Collect two shards of two streams of 23 steps."""
    source = WanderingSource(WanderingConfig(**settings), FAMILY, torch.device("cpu"))
    tasks = FAMILY.sample_tasks(2, seed=0)
    return collect(source, FAMILY, tasks, store, seed=0, run=Run(store / "..", quiet=True))


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.iterdir())}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a store holds whose writer nothing stopped."""
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    wander(store)
    found = contents(store)
    assert list(found) == ["manifest.json", *(f"shard-0000{n}.safetensors" for n in range(2))]
    return found


def count_steps(patch: pytest.MonkeyPatch, at: Callable[[int], object]) -> None:
    """Call `at` with the number of each write step before it is taken."""
    number = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **keywords: Any) -> Any:
            nonlocal number
            number += 1
            at(number)
            return function(*arguments, **keywords)

        return step

    for name in WRITE_STEPS:
        patch.setattr(os, name, counted(getattr(os, name)))


def steps_of_a_whole_run(store: Path) -> int:
    taken = [0]
    with pytest.MonkeyPatch.context() as patch:
        count_steps(patch, lambda number: taken.__setitem__(0, number))
        wander(store)
    return taken[0]


def refusal_of(store: Path) -> str | None:
    """The message with which a failed write is told; None if nothing failed."""
    try:
        wander(store)
    except StorageError as error:
        return str(error)
    return None


def check_readable(store: Path, undisturbed: dict[str, bytes]) -> None:
    """What stands in a stopped store is whole, and what reads is right."""
    for name, data in contents(store).items():
        if not name.endswith(".partial") and name != "manifest.json":
            assert data == undisturbed[name], name
    if (store / "manifest.json").exists():
        HistoryStore.open(store).verify()
    else:
        with pytest.raises(DamagedFileError, match="manifest"):
            HistoryStore.open(store)


def test_a_full_disk_at_any_write_step_loses_nothing_that_was_whole(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    steps = steps_of_a_whole_run(tmp_path / "whole")
    assert steps > 30
    refused = 0
    for number in range(1, steps + 1):
        store = tmp_path / str(number)

        def fill(taken: int, number: int = number) -> None:
            if taken == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.MonkeyPatch.context() as patch:
            count_steps(patch, fill)
            refusal = refusal_of(store)
        if refusal is not None:
            refused += 1
            assert "the disk is full" in refusal and "run the same command again" in refusal
            assert not list(store.glob("*.partial"))
        if store.exists() and any(store.iterdir()):
            check_readable(store, undisturbed)
        wander(store)
        assert contents(store) == undisturbed, number
    assert refused > steps * 0.8  # a folder that cannot be flushed is no error on every system


KILLED_WRITER = """
    import os, signal, sys
    from pathlib import Path

    import torch

    torch.set_num_threads(1)
    from icrl.histories import collect
    from icrl.run import Run
    from icrl.testing import TwoCells, WanderingConfig, WanderingSource

    family = TwoCells()
    names = sys.argv[2].split(",")


    def write(store, killed_at):
        number = 0

        def counted(function):
            def step(*arguments, **keywords):
                nonlocal number
                number += 1
                if number == killed_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **keywords)

            return step

        for name in names:
            setattr(os, name, counted(getattr(os, name)))
        source = WanderingSource(WanderingConfig(), family, torch.device("cpu"))
        tasks = family.sample_tasks(2, seed=0)
        collect(source, family, tasks, store, seed=0, run=Run(store / "..", quiet=True))


    killed_at = 1
    while True:
        child = os.fork()
        if child == 0:
            write(Path(sys.argv[1]) / str(killed_at), killed_at)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        killed_at += 1
    print(killed_at - 1)
"""


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_a_kill_at_any_write_step_loses_nothing_that_was_whole(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    done = run_python(KILLED_WRITER, str(tmp_path), ",".join(WRITE_STEPS))
    assert done.returncode == 0, done.stderr
    kills = int(done.stdout)
    assert kills > 30
    interrupted = 0
    for number in range(1, kills + 1):
        store = tmp_path / str(number)
        check_readable(store, undisturbed)
        interrupted += contents(store) != undisturbed
        wander(store)
        assert contents(store) == undisturbed, number
    assert interrupted > kills * 0.9


LIMITED_WRITER = """
    import resource, sys
    from pathlib import Path

    import torch
    from icrl.errors import StorageError
    from icrl.histories import collect
    from icrl.run import Run
    from icrl.testing import TwoCells, WanderingConfig, WanderingSource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    family, store = TwoCells(), Path(sys.argv[1])
    source = WanderingSource(WanderingConfig(), family, torch.device("cpu"))
    tasks = family.sample_tasks(2, seed=0)
    try:
        collect(source, family, tasks, store, seed=0, run=Run(store / "..", quiet=True))
    except StorageError as error:
        print(error)
"""


def test_a_file_size_limit_is_told_as_a_failed_write(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    store = tmp_path / "store"
    done = run_python(LIMITED_WRITER, str(store))
    assert "cannot write" in done.stdout and "File too large" in done.stdout, done.stderr
    assert not list(store.glob("*.partial"))
    wander(store)
    assert contents(store) == undisturbed


SLOW_WRITER = """
    import sys, time
    from pathlib import Path

    import torch
    from icrl.histories import collect
    from icrl.run import Run
    from icrl.testing import TwoCells, WanderingConfig, WanderingSource

    class Slow(WanderingSource):
        def record(self, tasks, recorder, *, seed):
            super().record(tasks, recorder, seed=seed)
            print("recorded", flush=True)
            time.sleep(float(sys.argv[2]))

    family, store = TwoCells(), Path(sys.argv[1])
    source = Slow(WanderingConfig(), family, torch.device("cpu"))
    tasks = family.sample_tasks(2, seed=0)
    collect(source, family, tasks, store, seed=0, run=Run(store / "..", quiet=True))
"""


def start_writer(store: Path, pause_seconds: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(SLOW_WRITER), str(store), str(pause_seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_shard_that_another_writer_holds_is_left_to_it(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    store = tmp_path / "store"
    with start_writer(store, 0.5) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()  # it holds the first shard now
        recorded = []

        class Watched(WanderingSource):
            def record(self, tasks: Any, recorder: Any, *, seed: int) -> None:
                recorded.append(recorder)
                super().record(tasks, recorder, seed=seed)

        source = Watched(WanderingConfig(), FAMILY, torch.device("cpu"))
        tasks = FAMILY.sample_tasks(2, seed=0)
        collect(source, FAMILY, tasks, store, seed=0, run=Run(tmp_path, quiet=True))
        assert len(recorded) == 1
        assert writer.wait(timeout=60) == 0
    assert contents(store) == undisturbed


def test_a_shard_of_a_killed_writer_is_taken_over(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    store = tmp_path / "store"
    with start_writer(store, 600.0) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        stop = threading.Timer(0.5, writer.send_signal, (signal.SIGKILL,))
        stop.start()
        wander(store)  # records the others, then waits for the one that is held
        stop.join()
        assert writer.wait(timeout=60) == -signal.SIGKILL
    assert contents(store) == undisturbed


def test_an_interrupt_gives_the_claim_back(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    class Interrupted(WanderingSource):
        def record(self, tasks: Any, recorder: Any, *, seed: int) -> None:
            super().record(tasks, recorder, seed=seed)
            raise KeyboardInterrupt

    store = tmp_path / "store"
    source = Interrupted(WanderingConfig(), FAMILY, torch.device("cpu"))
    tasks = FAMILY.sample_tasks(2, seed=0)
    with pytest.raises(KeyboardInterrupt):
        collect(source, FAMILY, tasks, store, seed=0, run=Run(tmp_path, quiet=True))
    assert list(contents(store)) == ["manifest.json"]
    wander(store)
    assert contents(store) == undisturbed


def test_a_lost_manifest_is_written_anew_from_the_shards(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    store = tmp_path / "store"
    wander(store)
    (store / "manifest.json").unlink()
    wander(store)
    assert contents(store) == undisturbed


def test_a_shard_that_no_manifest_lists_yet_counts(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wander(store)
    data = json.loads((store / "manifest.json").read_text())
    data["shards"] = data["shards"][:1]
    (store / "manifest.json").write_text(json.dumps(data))
    assert len(HistoryStore.open(store).shards) == 2


def test_a_deleted_shard_is_recorded_again(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    store = tmp_path / "store"
    wander(store)
    (store / "shard-00001.safetensors").unlink()
    wander(store)
    assert contents(store) == undisturbed


def test_writers_on_a_file_system_without_locks_fill_files_of_their_own(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_lock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(claims, "flock", no_lock)
    first = claims.ClaimedFile.claim(tmp_path / "file")
    assert first is not None
    first.write(b"whole", 0)
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as another process
    second = claims.ClaimedFile.claim(tmp_path / "file")
    assert second is not None
    second.write(b"other", 0)
    first.commit()
    assert (tmp_path / "file").read_bytes() == b"whole"
    second.release()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    wander(tmp_path / "store")
    assert contents(tmp_path / "store") == undisturbed


def test_what_a_killed_writer_left_is_no_part_of_the_next_file(tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(b"longer than what follows")
    with claims.ClaimedFile.wait_for(tmp_path / "file") as file:
        file.write(b"short", 0)
        file.commit()
    assert contents(tmp_path) == {"file": b"short"}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        target = Path("/proc/histories")
    else:
        tmp_path.chmod(0o500)
        target = tmp_path / "store"
    with pytest.raises(StorageError, match="cannot write"):
        wander(target)
