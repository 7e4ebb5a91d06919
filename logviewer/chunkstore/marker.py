"""Marks of open logs, kept up as the logs grow."""

import logging
import threading
from contextlib import suppress

from logviewer.chunkstore.errors import ChunkStoreError, NoSuchLog
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.marking import extend_marks
from logviewer.chunkstore.opening import open_log
from logviewer.chunkstore.state import State
from logviewer.chunkstore.stretch import STRETCH_BYTES, STRETCH_RECORDS

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.25
"""From one look at the logs that have grown to the next: opening one costs as much as marking some MB of it."""


class Marker:
    """A thread that is started with the first log that is long enough, and extends the marks of those that have grown.

    It reads what was written as any reader does, so that it holds up nobody's appending; what it does not get to,
    readers do.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: dict[str, LogFiles] = {}
        self._grown = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def appended(self, files: LogFiles, before: State, after: State) -> None:
        """Have the log's marks extended if the append may have completed a stretch."""
        if (
            before.size // STRETCH_BYTES == after.size // STRETCH_BYTES
            and before.records // STRETCH_RECORDS == after.records // STRETCH_RECORDS
        ):
            return
        with self._mutex:
            self._waiting[files.key] = files
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="chunkstore-marker", daemon=True)
                self._thread.start()
        self._grown.set()

    def complete(self, files: LogFiles) -> None:
        """Extend a log's marks now, and not again until it has grown."""
        with self._mutex:
            self._waiting.pop(files.key, None)
        mark_log(files)

    def close(self) -> None:
        """End the thread, and do what is left."""
        self._closed.set()
        self._grown.set()
        if self._thread is not None:
            self._thread.join()
        self._mark_waiting()

    def _run(self) -> None:
        """Extend the marks of all that have grown, round by round, until closed."""
        while not self._closed.wait(ROUND_SECONDS):
            self._grown.wait()
            self._grown.clear()
            self._mark_waiting()

    def _mark_waiting(self) -> None:
        with self._mutex:
            waiting, self._waiting = self._waiting, {}
        for files in waiting.values():
            mark_log(files)


def mark_log(files: LogFiles) -> None:
    """Extend a log's marks, or leave it: they can be made at any time, and readers do without."""
    try:
        with suppress(NoSuchLog, FileNotFoundError), open_log(files) as reader:
            extend_marks(reader)
    except (ChunkStoreError, OSError) as error:
        logger.warning("%s are not extended: %s", files.marks, error)
