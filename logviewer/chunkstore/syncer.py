"""The `interval` policy: once a second, what was appended is put on stable storage."""

import logging
import os
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from logviewer.chunkstore.disk import write_synced
from logviewer.chunkstore.errors import LogLocked
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS, lock, unlock
from logviewer.chunkstore.sources import LocalFile

logger = logging.getLogger(__name__)

SYNC_INTERVAL_SECONDS = 1.0
"""How much may be lost when the machine loses power (storage.md, "fsync"); a killed process loses nothing."""

SYNC_BYTES = 16 * 1024 * 1024
"""A log that got as much since is synced before: or the finish of a fast one waits for it all, 33 ms for 100 MB."""


class FsyncPolicy(StrEnum):
    """When appended bytes are put on stable storage: `BUILDLOGS_FSYNC`."""

    NEVER = "never"
    INTERVAL = "interval"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a log had come when it was last appended to: the number of its records, and the last one's bytes."""

    files: LogFiles
    inode: int
    records: int
    last: bytes


class Syncer:
    """A thread that is started with the first append and syncs, each second, the logs appended to since.

    Logs that got SYNC_BYTES meanwhile are synced at once.

    It opens the files by itself, so that it holds up nobody's appending: the log's lock is taken only to
    move `synced`, after the slow part.
    """

    def __init__(self, interval_seconds: float = SYNC_INTERVAL_SECONDS) -> None:
        self._interval_seconds = interval_seconds
        self._mutex = threading.Lock()
        self._marks: dict[str, tuple[Mark, int]] = {}  # with the bytes appended since the last sync
        self._stopped = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def mark(self, mark: Mark, appended_bytes: int) -> None:
        """Have the log, which got so many bytes more, synced with the next round or before."""
        key = mark.files.key
        with self._mutex:
            _, waiting_bytes = self._marks.get(key, (mark, 0))
            self._marks[key] = mark, waiting_bytes + appended_bytes
            if waiting_bytes + appended_bytes >= SYNC_BYTES:
                self._wake.set()
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="chunkstore-sync", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread after a last round."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.sync_marked()

    def sync_marked(self) -> None:
        """Sync all logs marked so far."""
        self._sync(least_bytes=0)

    def _sync(self, least_bytes: int) -> None:
        """Sync the logs that got so many bytes or more."""
        with self._mutex:
            keys = [key for key, (_, waiting_bytes) in self._marks.items() if waiting_bytes >= least_bytes]
            marks = [self._marks.pop(key)[0] for key in keys]
        for mark in marks:
            try:
                sync_log(mark)
            except LogLocked:
                with self._mutex:
                    self._marks.setdefault(mark.files.key, (mark, 0))
            except OSError:
                logger.exception("%s could not be synced; a loss of power may cut it", mark.files.text)

    def _run(self) -> None:
        """Sync once an interval, counted from the round before's end, and what cannot wait as long."""
        round_at = time.monotonic() + self._interval_seconds
        while not self._stopped:
            self._wake.wait(max(0.0, round_at - time.monotonic()))
            self._wake.clear()
            if self._stopped:
                return
            if time.monotonic() < round_at:
                self._sync(SYNC_BYTES)
            else:
                self.sync_marked()
                round_at = time.monotonic() + self._interval_seconds


def sync_log(mark: Mark) -> None:
    """Put a log's first `mark.records` records and their text on stable storage, and move `synced`.

    A log that was deleted, replaced, or cut meanwhile is left alone.
    """
    with ExitStack() as opened:
        try:
            index_fd = _open(mark.files.index, os.O_RDWR, opened)
            text_fd = _open(mark.files.text, os.O_RDONLY, opened)
        except FileNotFoundError:
            return
        if os.fstat(index_fd).st_ino != mark.inode:
            return
        os.fdatasync(text_fd)
        with suppress(FileNotFoundError):
            os.fdatasync(_open(mark.files.tail, os.O_RDONLY, opened))
        os.fdatasync(index_fd)
        lock(index_fd, mark.files.index, time.monotonic() + LOCK_WAIT_SECONDS)
        opened.callback(unlock, index_fd)
        if Index(mark.files.index, LocalFile(index_fd)).packed(mark.records - 1, mark.records) == mark.last:
            write_synced(index_fd, mark.records)


def _open(path: Path, flags: int, opened: ExitStack) -> int:
    """Open a file that is closed with the stack."""
    fd = os.open(path, flags | os.O_CLOEXEC)
    opened.callback(os.close, fd)
    return fd
