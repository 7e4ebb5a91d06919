"""The logs this process has open for appending: at most so many, the least recently used closed first."""

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

MAX_OPEN_LOGS = 256
"""Two descriptors each, three past its limit: half of the usual soft limit of 1024, three quarters at worst."""

MAX_REMEMBERED_ENDS = 8192
"""How many closed logs' ends are kept, so that opening them again does not check their bytes again."""


class Appenders:
    """Hands out LogAppenders, one thread at a time each."""

    def __init__(self, root: Path, max_open: int = MAX_OPEN_LOGS) -> None:
        self._root = root
        self._max_open = max_open
        self._mutex = threading.Lock()
        self._open: OrderedDict[str, LogAppender] = OrderedDict()
        self._ends: OrderedDict[str, State] = OrderedDict()
        self._closed = False

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

    def close(self) -> None:
        """Wait for appends under way and close all files."""
        with self._mutex:
            self._closed = True
            appenders = list(self._open.values())
            self._open.clear()
        for appender in appenders:
            appender.retire(wait=True)

    def _appender(self, key: str) -> LogAppender:
        """Return the open appender for `key`, or a new one."""
        with self._mutex:
            if self._closed:
                raise ChunkStoreError("the chunk store is closed")
            appender = self._open.get(key)
            if appender is None:
                appender = LogAppender(log_files(self._root, key), self._ends.pop(key, None))
                self._make_room()
                self._open[key] = appender
            else:
                self._open.move_to_end(key)
            return appender

    def _make_room(self) -> None:
        """Close the least recently used appender that no thread is at."""
        if len(self._open) < self._max_open:
            return
        for key, appender in self._open.items():
            if appender.retire():
                del self._open[key]
                self._ends[key] = appender.state
                if len(self._ends) > MAX_REMEMBERED_ENDS:
                    self._ends.popitem(last=False)
                return
