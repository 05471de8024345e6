"""Ctrl-C where it may come: between two steps of work, never in the middle of one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def postponed_interrupts() -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C is only noted: ask the function that is yielded, save, then raise.

    A second Ctrl-C interrupts at once. Outside the main thread, which no signal reaches, nothing is
    changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    noted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noted
        if noted:
            raise KeyboardInterrupt
        noted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
