"""Which logs grew in this process since somebody last asked: for who goes through what was stored, behind intake."""

from __future__ import annotations

import threading
from itertools import islice

MAX_WAITING_LOGS = 100_000
"""More logs than are written to at once anywhere; of others it is known from their rows, a little later."""


class GrownLogs:
    """A set of ids. Noting one costs intake less than a microsecond, and nothing where nobody will ask."""

    def __init__(self) -> None:
        self._ids: dict[int, None] = {}
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self.is_asked_for = False

    def note(self, log_id: int) -> None:
        """The log grew or was finished."""
        if not self.is_asked_for:
            return
        with self._lock:
            if len(self._ids) < MAX_WAITING_LOGS:
                self._ids[log_id] = None
        if not self._filled.is_set():
            self._filled.set()

    def wake(self) -> None:
        """Let `wait` return."""
        self._filled.set()

    def wait(self, seconds: float) -> None:
        """Wait until there is any, at most so long."""
        self._filled.wait(seconds)

    def is_empty(self) -> bool:
        """Whether there is none."""
        return not self._ids

    def take(self, most: int) -> list[int]:
        """Take out at most so many, those first that wait longest."""
        with self._lock:
            taken = list(islice(self._ids, most))
            for log_id in taken:
                del self._ids[log_id]
            if not self._ids:
                self._filled.clear()
        return taken


logs = GrownLogs()
"""The process's."""
