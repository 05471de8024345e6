"""ScalarLog: scalars by step, as CSV and as TensorBoard events, right also after a resumed run."""

import csv
import io
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from icrl.files import storage_error, write_text


class ScalarLog:
    """Appends scalars to `DIR/progress.csv` and to an event file in `DIR/tensorboard/`.

    Args:
        directory: where they go.
        resumed_step: the step of the checkpoint that the run went on from: what was logged after it
            is dropped, from the CSV file by rewriting it, from the event files by a marker that
            TensorBoard obeys. None: begin anew.
    """

    def __init__(self, directory: Path, resumed_step: int | None = None) -> None:
        self.path = directory / "progress.csv"
        self._rows: list[dict[str, float]] = []
        self._columns = ["step"]
        if resumed_step is not None:
            self._rows = [row for row in _read(self.path) if row["step"] <= resumed_step]
        for row in self._rows:
            self._columns += [name for name in row if name not in self._columns]
        self._rewrite()
        self._events = _EventFile(directory / "tensorboard", resumed_step)

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Log scalars of a step.

        Raises:
            StorageError: if the disk is full.
        """
        row = {"step": step} | {name: float(value) for name, value in scalars.items()}
        self._rows.append(row)
        new_columns = [name for name in row if name not in self._columns]
        if new_columns:
            self._columns += new_columns
            self._rewrite()
        else:
            with _storage(self.path), self.path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self._columns).writerow(row)
        self._events.write(step, scalars)

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(self._rows)
        write_text(self.path, text.getvalue())


class _EventFile:
    """One TensorBoard event file, written record by record.

    torch's SummaryWriter takes a second to import, and writes from a thread whose errors (a full
    disk) come late or never.
    """

    def __init__(self, directory: Path, resumed_step: int | None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._event, self._summary = Event, Summary
        with _storage(directory):
            directory.mkdir(parents=True, exist_ok=True)
            if resumed_step is None:
                for old in directory.glob("events.out.tfevents.*"):
                    old.unlink()
            self.path = directory / f"events.out.tfevents.{time.time_ns()}.icrl.{os.getpid()}"
        self._append(Event(wall_time=time.time(), file_version="brain.Event:2"))
        if resumed_step is not None:
            marker = SessionLog(status=SessionLog.START)
            self._append(Event(wall_time=time.time(), step=resumed_step + 1, session_log=marker))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        values = [
            self._summary.Value(tag=name, simple_value=float(value))
            for name, value in scalars.items()
        ]
        self._append(
            self._event(wall_time=time.time(), step=step, summary=self._summary(value=values))
        )

    def _append(self, event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        with _storage(self.path), self.path.open("ab") as file:
            RecordWriter(file).write(event.SerializeToString())


def _read(path: Path) -> Iterator[dict[str, float]]:
    """The rows of a log; a last line that a killed run left torn is passed over."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    for row in csv.DictReader(whole):
        try:
            step = {"step": int(row.pop("step"))}
            yield step | {name: float(value) for name, value in row.items() if value != ""}
        except (KeyError, TypeError, ValueError):
            continue


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error
