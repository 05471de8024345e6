"""Workers: processes that step simulators in parallel, over memory that all of them share.

A worker is a fresh interpreter, not a fork: it inherits no threads and no device, and does not run
the caller's script again. Commands and answers go through a socket; actions and observations lie in
shared memory.
"""

import itertools
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import traceback
import weakref
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import cloudpickle  # type: ignore[import-untyped]

from icrl.errors import PluginError
from icrl.wrapped.buffers import Buffers, Layout
from icrl.wrapped.simulators import Simulators, Stepper

if TYPE_CHECKING:
    from icrl.wrapped.family import WrappedFamily

AVAILABLE = os.name == "posix"
"""Sockets and memory are handed over as file descriptors, which Windows does not have."""


class WorkerSimulators(Stepper):
    """Simulators of all rows, split over worker processes."""

    def __init__(self, family: "WrappedFamily", layout: Layout, workers: int) -> None:
        file = _memory_file(layout.num_bytes())
        self.memory = mmap.mmap(file, layout.num_bytes())
        self.buffers = Buffers.over(layout, self.memory)
        self._family_id = family.id
        self._workers: list[tuple[subprocess.Popen, Connection]] = []
        self._close = weakref.finalize(self, _close, self._workers)
        bounds = [layout.num_envs * i // workers for i in range(workers + 1)]
        for first, last in itertools.pairwise(bounds):
            self._workers.append(_start(file))
            self._workers[-1][1].send_bytes(cloudpickle.dumps((family, layout, range(first, last))))
        os.close(file)
        self._await()

    def reset(self) -> None:
        """Open an episode in every row."""
        self._all("reset")

    def step(self) -> None:
        """Step every row; where that ends an episode, open the next one."""
        self._all("step")

    def render(self) -> None:
        """Frames do not travel."""

    def close(self) -> None:
        """Close every environment and end the processes."""
        self._close()

    def _all(self, command: str) -> None:
        for process, connection in self._workers:
            try:
                connection.send_bytes(command.encode())
            except OSError as error:
                raise self._died(process) from error
        self._await()

    def _await(self) -> None:
        failures = []
        for process, connection in self._workers:
            try:
                answer = connection.recv_bytes()
            except (EOFError, OSError) as error:
                raise self._died(process) from error
            if answer:
                failures.append(cloudpickle.loads(answer))
        if failures:
            raise failures[0]

    def _died(self, process: subprocess.Popen) -> PluginError:
        return PluginError(
            f"{self._family_id}: a process that steps its environments ended with exit code "
            f"{process.wait()}. "
            "Its last words stand above; workers=0 steps them in this process."
        )


def serve(socket_descriptor: int, memory_descriptor: int) -> None:
    """The life of a worker process: make the environments of its rows, then obey until the socket
    closes.
    """
    connection = Connection(socket_descriptor)
    simulators: Simulators | None = None
    try:
        family, layout, rows = cloudpickle.loads(connection.recv_bytes())
        buffers = Buffers.over(layout, mmap.mmap(memory_descriptor, layout.num_bytes()))
        try:
            simulators = Simulators(family, rows, buffers)
        except Exception as error:
            connection.send_bytes(_pickled(error))
            return
        connection.send_bytes(b"")
        while True:
            command = connection.recv_bytes()
            try:
                simulators.reset() if command == b"reset" else simulators.step()
                connection.send_bytes(b"")
            except Exception as error:
                connection.send_bytes(_pickled(error))
    except (EOFError, ConnectionError):
        if simulators is not None:
            simulators.close()


def _start(memory_descriptor: int) -> tuple[subprocess.Popen, Connection]:
    ours, theirs = socket.socketpair()
    program = (
        f"from icrl.wrapped.workers import serve; serve({theirs.fileno()}, {memory_descriptor})"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        pass_fds=(theirs.fileno(), memory_descriptor),
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent, which then closes the socket
    )
    theirs.close()
    return process, Connection(ours.detach())


def _memory_file(num_bytes: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("icrl")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, num_bytes)
    return descriptor


def _close(workers: list[tuple[subprocess.Popen, Connection]]) -> None:
    for _, connection in workers:
        connection.close()
    for process, _ in workers:
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    workers.clear()


def _pickled(error: Exception) -> bytes:
    """The error with the worker's own traceback as a note, or what it says if it cannot travel."""
    trace = f"in a worker process:\n{''.join(traceback.format_exception(error))}"
    error.add_note(trace)
    error.__cause__ = error.__context__ = None
    try:
        data = cloudpickle.dumps(error)
        cloudpickle.loads(data)
        return data
    except Exception:
        replacement: Any = RuntimeError(f"{type(error).__name__}: {error}")
        replacement.add_note(trace)
        return cloudpickle.dumps(replacement)
