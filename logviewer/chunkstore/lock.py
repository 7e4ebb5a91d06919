"""The advisory lock that makes one writer at a time, over processes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logviewer.chunkstore.errors import LogLocked

LOCK_WAIT_SECONDS = 5.0
"""How long the second of two writers waits (storage.md, "Order")."""

FIRST_PAUSE_SECONDS = 0.0005
LONGEST_PAUSE_SECONDS = 0.02
"""flock has no timeout of its own, so it is asked again: soon at first, as a body takes about a millisecond."""


def lock(fd: int, path: Path, deadline: float) -> None:
    """Take the file's exclusive lock; LogLocked if another holds it until `deadline` (of time.monotonic())."""
    pause_seconds = FIRST_PAUSE_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LogLocked(path, LOCK_WAIT_SECONDS) from None
            time.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        else:
            return


def unlock(fd: int) -> None:
    """Let the next writer in."""
    fcntl.flock(fd, fcntl.LOCK_UN)


@contextmanager
def locked(path: Path, wait_seconds: float) -> Iterator[bool]:
    """Hold a file's lock; False where there is no file. LogLocked if another holds it, or the file went meanwhile."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        yield False
        return
    try:
        lock(fd, path, time.monotonic() + wait_seconds)
        if not os.fstat(fd).st_nlink:
            raise LogLocked(path, wait_seconds)  # another moved or deleted it just now: the next try sees that
        yield True
    finally:
        os.close(fd)
