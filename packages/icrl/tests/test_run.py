"""Run: progress, logs and checkpoints, also after a run was killed."""

import csv
import errno
import io
import sys

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from icrl.errors import DamagedFileError, StorageError
from icrl.progress import progress
from icrl.run import Run


def rows(run: Run) -> list[dict[str, str]]:
    with (run.directory / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def steps_in_tensorboard(run: Run, name: str) -> list[int]:
    events = EventAccumulator(str(run.directory / "tensorboard"))
    events.Reload()
    return [event.step for event in events.Scalars(name)]


def checkpointed(tmp_path, steps_after: int) -> Run:
    """A run that logged steps 1 to 5, wrote a checkpoint, and logged some more before it died."""
    run = Run(tmp_path)
    for step in range(1, 6):
        run.log(step, {"loss": 1 / step})
    run.save_checkpoint(5, {"weight": torch.arange(3.0)}, {"epoch": 2, "best": None})
    for step in range(6, 6 + steps_after):
        run.log(step, {"loss": -1.0})
    return run


def test_a_checkpoint_gives_back_tensors_and_state(tmp_path):
    checkpointed(tmp_path, 0)
    found = Run(tmp_path).load_checkpoint()
    assert found is not None
    step, tensors, state = found
    assert (step, state) == (5, {"epoch": 2, "best": None})
    assert torch.equal(tensors["weight"], torch.arange(3.0))


def test_a_new_run_has_no_checkpoint(tmp_path):
    assert Run(tmp_path).load_checkpoint() is None


def test_a_resumed_run_drops_the_rows_after_its_checkpoint(tmp_path):
    checkpointed(tmp_path, 3)
    resumed = Run(tmp_path)
    resumed.load_checkpoint()
    resumed.log(6, {"loss": 0.25})
    assert [float(row["step"]) for row in rows(resumed)] == [1, 2, 3, 4, 5, 6]
    assert rows(resumed)[-1]["loss"] == "0.25"


def test_tensorboard_shows_no_step_of_a_resumed_run_twice(tmp_path):
    checkpointed(tmp_path, 3)
    resumed = Run(tmp_path)
    resumed.load_checkpoint()
    resumed.log(6, {"loss": 0.25})
    assert steps_in_tensorboard(resumed, "loss") == [1, 2, 3, 4, 5, 6]


def test_a_run_without_a_checkpoint_begins_its_logs_anew(tmp_path):
    Run(tmp_path).log(1, {"loss": 3.0})
    again = Run(tmp_path)
    assert again.load_checkpoint() is None
    again.log(1, {"loss": 2.0})
    assert [row["loss"] for row in rows(again)] == ["2.0"]
    assert steps_in_tensorboard(again, "loss") == [1]


def test_a_torn_last_row_is_passed_over(tmp_path):
    run = checkpointed(tmp_path, 0)
    whole = rows(run)
    path = run.directory / "progress.csv"
    path.write_text(path.read_text().rstrip()[:-1])
    resumed = Run(tmp_path)
    resumed.load_checkpoint()
    resumed.log(6, {"loss": 0.5})
    assert rows(resumed) == [*whole[:-1], {"step": "6", "loss": "0.5"}]


def test_a_column_may_appear_late(tmp_path):
    run = Run(tmp_path)
    run.log(1, {"loss": 1.0})
    run.log(2, {"loss": 0.5, "accuracy": 0.7})
    assert rows(run)[0] == {"step": "1", "loss": "1.0", "accuracy": ""}
    assert rows(run)[1]["accuracy"] == "0.7"


@pytest.mark.parametrize("damage", ["truncate", "foreign", "garbage"])
def test_a_damaged_checkpoint_is_refused_naming_the_file(tmp_path, damage):
    run = checkpointed(tmp_path, 0)
    path = run.checkpoint_path
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "foreign":
        from safetensors.torch import save_file

        save_file({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(b"not a checkpoint")
    with pytest.raises(DamagedFileError, match=r"checkpoint.safetensors.*Delete it"):
        Run(tmp_path).load_checkpoint()


def test_a_failed_write_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    run = checkpointed(tmp_path, 0)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        run.save_checkpoint(9, {"weight": torch.zeros(3)}, {})
    monkeypatch.undo()
    found = Run(tmp_path).load_checkpoint()
    assert found is not None
    assert found[0] == 5


def test_a_full_disk_while_logging_is_a_storage_error(tmp_path, monkeypatch):
    run = checkpointed(tmp_path, 0)
    real = type(tmp_path).open

    def full(path, mode="r", **keywords):
        if "a" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, mode, **keywords)

    monkeypatch.setattr(type(tmp_path), "open", full)
    with pytest.raises(StorageError, match=r"cannot write .*: the disk is full"):
        run.log(6, {"loss": 1.0})


def test_a_checkpoint_is_due_when_the_last_one_is_old(tmp_path):
    assert Run(tmp_path, checkpoint_seconds=0.0).checkpoint_due()
    assert not Run(tmp_path, checkpoint_seconds=60.0).checkpoint_due()


def test_each_purpose_has_a_generator_of_its_own(tmp_path):
    run = Run(tmp_path, seed=3)
    draws = {purpose: torch.rand(7, generator=run.generator(purpose)) for purpose in ("a", "b")}
    assert not torch.equal(draws["a"], draws["b"])
    assert torch.equal(draws["a"], torch.rand(7, generator=Run(tmp_path, seed=3).generator("a")))
    assert not torch.equal(
        draws["a"], torch.rand(7, generator=Run(tmp_path, seed=4).generator("a"))
    )


def test_progress_on_no_terminal_is_a_line_with_rate_time_and_figures(tmp_path, capsys):
    with Run(tmp_path).progress(7, "learning", unit="update") as advance:
        for _ in range(7):
            advance(1, loss=0.25)
    assert capsys.readouterr().err.startswith("learning: 7/7, took 0.0 s  loss 0.25")


def test_slow_progress_is_told_by_the_minute(tmp_path, capsys, monkeypatch):
    clock = iter([0.0, *[60.0] * 3])
    monkeypatch.setattr("icrl.progress.time.monotonic", lambda: next(clock))
    with progress(4, "evaluating", unit="episode") as advance:
        advance(1.5)
    told = capsys.readouterr().err.splitlines()[0]
    assert told == "evaluating: 1/4, 1.5 episode/min, 1 min 40 s left"


def test_progress_counts_what_a_run_before_has_done(tmp_path, capsys):
    with Run(tmp_path).progress(7, "learning", done=5) as advance:
        advance(2)
    assert "7/7" in capsys.readouterr().err


def test_a_quiet_run_shows_nothing(tmp_path, capsys):
    with Run(tmp_path, quiet=True).progress(7, "learning") as advance:
        advance(7, loss=0.25)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_shows_rate_figures_and_time_left(tmp_path, monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", terminal)
    with Run(tmp_path).progress(7, "learning", unit="update") as advance:
        advance(7, loss=0.25)
    shown = terminal.getvalue()
    assert all(part in shown for part in ("learning", "7/7", "update/s", "0:00:00", "loss 0.25"))
