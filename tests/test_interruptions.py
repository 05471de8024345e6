"""Ctrl-C or SIGKILL in the middle loses nothing that was whole, and the same command goes on."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from icrl.cli import main
from icrl.histories import HistoryStore

COLLECT = """
collect icrl/DarkRoom-v0 --env.size 3 --env.horizon 7 --device cpu
--source.streams_per_task 2 --source.steps 1400 --source.learners_at_once 2
"""
LEARN = """
ad icrl/DarkRoom-v0 --env.size 3 --env.horizon 7 --device cpu
--source.streams_per_task 3 --source.steps 70
--agent.width 16 --agent.heads 2 --agent.layers 1 --agent.feed_forward 16
--agent.window 35 --agent.batch 4 --agent.every 1 --agent.updates 300
"""
PROCESS = """
import sys
from icrl.cli import main
from icrl.run import Run
Run.checkpoint_due = lambda run: True
sys.exit(main(sys.argv[1:]))
"""
SIGNALS = (signal.SIGINT, signal.SIGKILL)


def last_words(process: subprocess.Popen[str]) -> str:
    """What a process says before it ends; one that does not end is killed."""
    try:
        return process.communicate(timeout=120)[1]
    finally:
        process.kill()


def stop(command: list[str], number: signal.Signals, *, when: Callable[[], bool]) -> str:
    """Run a command and send it a signal as soon as `when` holds; what it said before it ended."""
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, *command],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        while not when() and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        said = last_words(process)
    if number is signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 1, said
        assert "Traceback" not in said
        assert f"goes on from there:\n  icrl {shlex.join(command)}" in said
    return said


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """A store that nothing interrupted."""
    out = tmp_path_factory.mktemp("stores") / "whole"
    assert main([*shlex.split(COLLECT), "--out", str(out), "--quiet"]) == 0
    return out


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_collecting_goes_on_to_the_same_store(number, collected, tmp_path):
    out = tmp_path / "store"
    command = [*shlex.split(COLLECT), "--out", str(out), "--quiet"]
    stop(command, number, when=(out / "shard-00001.safetensors").exists)
    before = HistoryStore.open(out)
    before.verify()
    assert not before.is_complete
    whole = {shard.path: shard.path.stat().st_mtime_ns for shard in before.shards}
    assert main(command) == 0
    assert contents(out) == contents(collected)
    assert all(path.stat().st_mtime_ns == time for path, time in whole.items())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["train", *shlex.split(LEARN), "--out", str(out), "--quiet"]) == 0
    return out


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_training_goes_on_to_the_same_weights(number, trained, tmp_path):
    out = tmp_path / "run"
    command = ["train", *shlex.split(LEARN), "--out", str(out), "--quiet"]
    stop(command, number, when=(out / "agent" / "checkpoint.safetensors").exists)
    assert not (out / "agent" / "trained.json").exists()
    assert main(command) == 0
    ours, whole = (contents(path / "agent") for path in (out, trained))
    assert ours["weights.safetensors"] == whole["weights.safetensors"]
    assert ours["progress.csv"] == whole["progress.csv"]


def test_a_run_that_was_stopped_beside_a_companion_goes_on_there(tmp_path):
    out = tmp_path / "run"
    command = ["run", *shlex.split(LEARN), "--episodes", "3", "--out", str(out), "--quiet"]
    stop(command, signal.SIGINT, when=(out / "companions" / "ed" / "checkpoint.safetensors").exists)
    finished = [out / "agent" / "weights.safetensors", out / "evaluation" / "ad" / "returns.npy"]
    times = [path.stat().st_mtime_ns for path in finished]
    assert main(command) == 0
    assert [path.stat().st_mtime_ns for path in finished] == times
    for name in ("ad", "ed", "source", "random", "optimum"):
        assert np.isfinite(np.load(out / "evaluation" / name / "returns.npy")).all()
    assert (out / "report" / "index.html").exists()


def test_an_interrupted_evaluation_leaves_no_result(trained, tmp_path):
    code = """
import sys
from icrl.cli import main, stages
play = stages.evaluate
stages.evaluate = lambda *a, **k: (print("playing", flush=True), play(*a, **k))[1]
sys.exit(main(sys.argv[1:]))
"""
    out = tmp_path / "result"
    command = ["evaluate", str(trained), "--out", str(out), "--episodes", "100000", "--quiet"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "playing\n", process.communicate()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        said = last_words(process)
    assert process.returncode == 1
    assert said.startswith("Interrupted. Nothing was left half-written")
    assert list(tmp_path.iterdir()) == []
