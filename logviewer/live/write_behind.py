"""What the database should know but nobody waits for: written by a thread of its own, newest only for each key.

Counters of open logs, heartbeats, the last use of a token. A database that makes writers wait (SQLite's lock, up to
20 s; a PostgreSQL that is away) then holds up nobody, and what waits is bounded by the number of keys.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable

from django.conf import settings
from django.db import Error, connection

from logviewer.live.mailbox import Mailbox

logger = logging.getLogger(__name__)

GATHERING_SECONDS = 0.05
"""How long what comes next is gathered after each round: at 1000 open logs, 50 rows are written in one statement."""

MAX_WAITING = 100_000
"""Keys; more than there are open logs on any machine. Beyond them news is dropped, and comes with the next write."""


class WriteBehind:
    """A daemon thread, started with the first write, and what waits for it."""

    def __init__(self) -> None:
        self._mailbox: Mailbox[Hashable, Callable[[], object]] = Mailbox("write-behind", self._run, MAX_WAITING)
        self._lock = threading.Lock()
        self._later: dict[Hashable, tuple[threading.Timer, Callable[[], object]]] = {}

    def put(self, key: Hashable, write: Callable[[], object]) -> None:
        """Have `write` called soon, in place of what still waits under `key`. Never waits, never raises.

        With the setting WRITE_BEHIND off it is called at once: tests whose transaction is rolled back need that.
        """
        if settings.WRITE_BEHIND:
            self._mailbox.put(key, write)
        else:
            _try(key, write)

    def put_later(self, key: Hashable, write: Callable[[], object], seconds: float) -> None:
        """Put `write` in so many seconds, unless something is to be put under `key` already.

        Each starts a thread: for what comes once in a while, not for each piece of news. With WRITE_BEHIND off nothing
        is put, as that thread, too, does not see what a test has not committed.
        """
        if not settings.WRITE_BEHIND:
            return
        with self._lock:
            if key in self._later:
                return
            timer = threading.Timer(seconds, self._put_now, (key,))
            timer.daemon = True
            self._later[key] = timer, write
        timer.start()

    def flush(self, seconds: float) -> bool:
        """Wait until all that waits is written, or has failed; False where that takes longer than `seconds`.

        What was to be put later is put now, also by what still waits.
        """
        deadline = time.monotonic() + seconds
        self._mailbox.settle(seconds)
        for key in tuple(self._later):
            self._put_now(key)
        return self._mailbox.settle(max(0.0, deadline - time.monotonic()))

    def _put_now(self, key: Hashable) -> None:
        """Put what was to be put later, if that has not been done meanwhile."""
        with self._lock:
            timer, write = self._later.pop(key, (None, None))
        if timer is not None and write is not None:
            timer.cancel()
            self.put(key, write)

    def _run(self) -> None:
        while True:
            for key, write in self._mailbox.take().items():
                _try(key, write)
            time.sleep(GATHERING_SECONDS)
            if self._mailbox.is_empty():
                connection.close()  # an idle thread holds none


def _try(key: Hashable, write: Callable[[], object]) -> None:
    try:
        write()
    except Error as error:
        logger.warning("%s could not be written to the database: %s", key, error)


write_behind = WriteBehind()
