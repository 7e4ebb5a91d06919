"""Commands that end well when they are told to: SIGTERM and SIGINT are heeded between two logs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signals(tell: Callable[[], object] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Within, a signal calls `tell`, and makes what is yielded say True; a second one ends the process as usual."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # where Python takes no handlers
        yield told.is_set
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def heed(number: int, _frame: object) -> None:
        told.set()
        signal.signal(number, before[signal.Signals(number)])
        tell()

    for number in before:
        signal.signal(number, heed)
    try:
        yield told.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
