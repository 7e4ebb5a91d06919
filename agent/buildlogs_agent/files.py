"""`buildlogs log`: a file as a log of a step."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from .attaching import AttachedUpload
from .clock import now_us
from .errors import UsageError
from .ledger import LogEntry
from .steps import RecordedLog
from .wire import STDOUT

if TYPE_CHECKING:
    import threading

    from .steps import Services

READ_BYTES = 1024 * 1024

MAX_AHEAD_BYTES = 64 * 1024 * 1024
"""A file is read no further ahead of a server that takes it: the spool need not hold all of it."""

AHEAD_POLL_SECONDS = 0.02


def open_file(path: str) -> int:
    """A descriptor to read from; `-` is standard input.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        descriptor = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.read(descriptor, 0)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from None
    return descriptor


def log_name(path: str, name: Optional[str]) -> str:
    """What the log is called.

    Raises:
        UsageError: standard input has no name.
    """
    if name is None and path == "-":
        raise UsageError("what shall the log be called? Use --name for standard input")
    return name if name is not None else Path(path).name


class FileLog:
    """A file that is read into a log of its own. First `deliver` is begun, in a thread; then `read`."""

    def __init__(self, services: Services, build: str, step: str, name: str, log_type: str) -> None:
        """Raises OSError where the spool cannot be written."""
        mask = services.mask
        entry = LogEntry(services.api.server, build, mask.text(step), None, mask.text(name), log_type=log_type)
        entry.attached = True
        self._log = RecordedLog(services, services.ledger.new_log(), entry, AttachedUpload)
        self.deliver = self._log.deliver

    def read(self, descriptor: int, sending: threading.Thread) -> None:
        """Read all of it, no faster than the server takes it as long as it does."""
        try:
            for data in iter(lambda: os.read(descriptor, READ_BYTES), b""):
                self._log.recorder.output(STDOUT, now_us(), data)
                self._log.recorder.expire(now_us())
                while self._log.spool.pending_bytes > MAX_AHEAD_BYTES and sending.is_alive():
                    time.sleep(AHEAD_POLL_SECONDS)
        except OSError as error:
            self._log.services.report(f"the file ends here, it cannot be read on: {error.strerror}")
        finally:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._log.complete("success")
