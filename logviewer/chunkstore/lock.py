"""The advisory lock that makes one writer at a time, over processes."""

import fcntl
import time
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
