"""Worker threads for what may wait for a disk, off the event loop: readers and writers have theirs apart.

A disk that makes writers wait must not keep readers from what lies in the page cache, and the other way round. Nor
must another store that is slow or hangs: whoever waits for it lets another reader run meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

READING_THREADS = 8
WRITING_THREADS = 8

WAITING_THREADS = 64
"""Readers that may wait for another store at once, beside those that read here."""

CROWDED_SECONDS = 1.0
"""How long a reader waits for one of those places, and thereby keeps another from reading."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Closeable(Protocol):
    """What holds descriptors."""

    def close(self) -> None:
        """Let them go."""


Opened = TypeVar("Opened", bound=Closeable)


class Occupancy:
    """How many of so many threads work now: a context manager around each piece of work. Thread-safe."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.busy = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.busy += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self.busy -= 1


reading = Occupancy(READING_THREADS + WAITING_THREADS)
"""Those that wait for another store are counted too."""

writing = Occupancy(WRITING_THREADS)

_reading = ThreadPoolExecutor(READING_THREADS + WAITING_THREADS, thread_name_prefix="read-log")
_writing = ThreadPoolExecutor(WRITING_THREADS, thread_name_prefix="write-log")
_running = threading.Semaphore(READING_THREADS)
_waiting = threading.Semaphore(WAITING_THREADS)
_this_thread = threading.local()


class Crowded(Exception):
    """So many readers wait for the other store that no more may."""

    def __init__(self) -> None:
        super().__init__(f"{WAITING_THREADS} readers wait for it already")


async def in_reading_thread(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run `function`, which reads logs, on a worker thread; what it logs is known to be of the same request."""
    work = partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_reading, copy_context().run, _read, work)


async def opened_in_reading_thread(
    opening: Callable[Parameters, Opened], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Opened:
    """As `in_reading_thread`, for what has to be closed: whoever is cancelled while it is opened leaves none open.

    A viewer that vanishes as it joins would else leave two descriptors behind for good.
    """
    work = partial(opening, *args, **kwargs)
    opened = asyncio.get_running_loop().run_in_executor(_reading, copy_context().run, _read, work)
    try:
        return await asyncio.shield(opened)
    except asyncio.CancelledError:
        opened.add_done_callback(_close)
        raise


async def in_writing_thread(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run `function`, which writes logs, on a worker thread; as `in_reading_thread`."""
    work = partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_writing, copy_context().run, _write, work)


@contextmanager
def waiting_elsewhere() -> Iterator[None]:
    """Around what waits for a network: on a reading thread, let another one read meanwhile. Raises Crowded."""
    if not getattr(_this_thread, "reads", False):
        yield
        return
    if not _waiting.acquire(timeout=CROWDED_SECONDS):
        raise Crowded
    _running.release()
    try:
        yield
    finally:
        _waiting.release()
        _running.acquire()


def _read(work: Callable[[], Result]) -> Result:
    """Do `work` as one of the READING_THREADS that run at once."""
    with _running, reading:
        _this_thread.reads = True
        try:
            return work()
        finally:
            _this_thread.reads = False


def _close(opened: asyncio.Future[Opened]) -> None:
    """Close what nobody waits for any more, if it could be opened."""
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


def _write(work: Callable[[], Result]) -> Result:
    with writing:
        return work()
