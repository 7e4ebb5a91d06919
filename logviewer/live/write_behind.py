"""What the database should know but nobody waits for: written by a thread of its own, newest only for each key.

Counters of open logs, heartbeats, the last use of a token. A database that makes writers wait (SQLite's lock, up to
20 s; a PostgreSQL that is away) then holds up nobody, and what waits is bounded by the number of keys.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable

from django.conf import settings
from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

MAX_WAITING = 100_000
"""Keys; more than there are open logs on any machine. Beyond them news is dropped, and comes with the next write."""


class WriteBehind:
    """A daemon thread, started with the first write, and what waits for it."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Callable[[], object]] = {}
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, key: Hashable, write: Callable[[], object]) -> None:
        """Have `write` called soon, in place of what still waits under `key`. Never waits, never raises.

        With the setting WRITE_BEHIND off it is called at once: tests whose transaction is rolled back need that.
        """
        if not settings.WRITE_BEHIND:
            _try(key, write)
            return
        with self._lock:
            if len(self._waiting) >= MAX_WAITING and key not in self._waiting:
                return
            self._waiting[key] = write
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)
                self._thread.start()
        self._filled.set()

    def _run(self) -> None:
        while True:
            self._filled.wait()
            self._filled.clear()
            with self._lock:
                batch, self._waiting = self._waiting, {}
            for key, write in batch.items():
                _try(key, write)
            connection.close()  # an idle thread holds none


def _try(key: Hashable, write: Callable[[], object]) -> None:
    try:
        write()
    except DatabaseError as error:
        logger.warning("%s could not be written to the database: %s", key, error)


write_behind = WriteBehind()
