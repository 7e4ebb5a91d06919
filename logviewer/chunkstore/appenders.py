"""The logs this process has open for appending: at most so many, the least recently used closed first."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logviewer.chunkstore.appender import LogAppender
from logviewer.chunkstore.errors import ChunkStoreError, NoSuchLog, TextMissing
from logviewer.chunkstore.keys import log_files
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS
from logviewer.chunkstore.state import State

logger = logging.getLogger(__name__)

MAX_OPEN_LOGS = 256
"""Two descriptors each, three past its limit: half of the usual soft limit of 1024, three quarters at worst."""

MAX_REMEMBERED_ENDS = 8192
"""How many closed logs' ends are kept, so that opening them again does not check their bytes again."""

SWEEP_INTERVAL_SECONDS = 10.0
"""How often is looked for texts that other processes have removed; one that nobody appends to goes in two rounds."""


class Appenders:
    """Hands out LogAppenders, one thread at a time each."""

    def __init__(
        self,
        root: Path,
        max_open: int = MAX_OPEN_LOGS,
        sweep_interval_seconds: float = SWEEP_INTERVAL_SECONDS,
    ) -> None:
        self._root = root
        self._max_open = max_open
        self._sweep_interval_seconds = sweep_interval_seconds
        self._sweeper: threading.Thread | None = None
        self._mutex = threading.Lock()
        self._open: OrderedDict[str, LogAppender] = OrderedDict()
        self._ends: OrderedDict[str, State] = OrderedDict()
        self._closed = threading.Event()

    @contextmanager
    def exclusive(self, key: str, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[LogAppender]:
        """Hold a log alone, over threads and processes. Raises NoSuchLog, TextMissing, LogLocked, CorruptIndex."""
        deadline = time.monotonic() + wait_seconds
        while True:
            appender = self._appender(key)
            try:
                acquired = appender.acquire(deadline)
            except (NoSuchLog, TextMissing):
                self.forget(key, appender)
                raise
            if acquired:
                break
            self.forget(key, appender)
        try:
            yield appender
        finally:
            appender.release()

    def check(self, key: str) -> None:
        """Check a log's end, and keep nothing open for it. Raises as `exclusive`."""
        with self.exclusive(key) as appender:
            pass
        with self._mutex:
            if self._open.get(key) is appender:
                self._put_by(key, appender)

    def knows(self, key: str) -> bool:
        """Say whether this process has checked the log's end already."""
        with self._mutex:
            return key in self._open or key in self._ends

    def forget(self, key: str, appender: LogAppender) -> None:
        """Drop a log that is gone, with what was known of its end."""
        with self._mutex:
            if self._open.get(key) is appender:
                del self._open[key]
            self._ends.pop(key, None)

    def close_log(self, key: str, wait: bool = False) -> None:
        """Close a log that takes no more, so that its bytes are given back when its text goes.

        Without `wait` not while a thread is at it: the index was deleted then, and the thread closes it by itself.
        """
        with self._mutex:
            appender = self._open.pop(key, None)
            self._ends.pop(key, None)
        if appender is not None:
            appender.retire(wait)

    def sweep(self) -> None:
        """Close the logs whose text another process has removed: it sealed, redacted or deleted them.

        Their bytes would stay taken, and those of a redacted log on the disk, until the log were closed for room.
        """
        with self._mutex:
            appenders = list(self._open.items())
        for key, appender in appenders:
            if appender.retire_without_text():
                self.forget(key, appender)

    def close(self) -> None:
        """Wait for appends under way and close all files."""
        self._closed.set()
        with self._mutex:
            appenders = list(self._open.values())
            self._open.clear()
        for appender in appenders:
            appender.retire(wait=True)

    def _appender(self, key: str) -> LogAppender:
        """Return the open appender for `key`, or a new one."""
        with self._mutex:
            if self._closed.is_set():
                raise ChunkStoreError("the chunk store is closed")
            appender = self._open.get(key)
            if appender is None:
                appender = LogAppender(log_files(self._root, key), self._ends.pop(key, None))
                self._make_room()
                self._open[key] = appender
                self._start_sweeping()
            else:
                self._open.move_to_end(key)
            return appender

    def _make_room(self) -> None:
        """Close the least recently used appender that no thread is at."""
        if len(self._open) < self._max_open:
            return
        for key, appender in self._open.items():
            if self._put_by(key, appender):
                return

    def _put_by(self, key: str, appender: LogAppender) -> bool:
        """Close an appender, but not its end; False where a thread is at it."""
        if not appender.retire():
            return False
        del self._open[key]
        self._ends[key] = appender.state
        if len(self._ends) > MAX_REMEMBERED_ENDS:
            self._ends.popitem(last=False)
        return True

    def _start_sweeping(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Thread(target=self._sweep_forever, name="chunkstore-sweep", daemon=True)
            self._sweeper.start()

    def _sweep_forever(self) -> None:
        while not self._closed.wait(self._sweep_interval_seconds):
            try:
                self.sweep()
            except OSError:
                logger.exception("it cannot be seen which texts are gone; those of this process keep their bytes")
