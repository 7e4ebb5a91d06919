"""LogWriter: for steps that run inside the server's own process or a management command.

Buildbot 0.8's `LogFile` as its steps know it: `addStdout`, `addStderr`, `addHeader`, `addEntry`, `finish`. Runs of one
channel are merged up to 64 KiB or 50 ms before they are stored.
"""

from __future__ import annotations

import hashlib
import threading
import time

from logviewer.chunkstore import Channel, Entry, LogFinished, LogLocked, StorageFull
from logviewer.intake import counters
from logviewer.intake.output import append_output, finish_log
from logviewer.models import LogFile

MERGE_BYTES = 64 * 1024
MERGE_SECONDS = 0.05

PASSING_ERRORS = (LogLocked, StorageFull, type(None))
"""After any other error the flusher need not try again; a writer that nobody holds any more would keep it busy."""


class LogWriter:
    """Writes one log. Safe for threads; the order of calls is the order in the log.

    What was added is stored at the latest `MERGE_SECONDS` after the run began, or with `flush` or `finish`. An error
    of the store that happened in between is raised by the next call.

    Args:
        log: an open log; only this writer may write it.
    """

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._lock = threading.RLock()
        self._channel = int(Channel.STDOUT)
        self._pieces: list[bytes] = []
        self._pending_bytes = 0
        self._began = 0.0
        self._began_us = 0
        self._sha256 = hashlib.sha256()
        self._received = 0
        self._finished = False
        self._error: Exception | None = None

    def add_stdout(self, text: str | bytes) -> None:
        """Add output; a `str` is stored as UTF-8."""
        self.add_entry(Channel.STDOUT, text)

    def add_stderr(self, text: str | bytes) -> None:
        """Add error output."""
        self.add_entry(Channel.STDERR, text)

    def add_header(self, text: str | bytes) -> None:
        """Add a word of the build system itself."""
        self.add_entry(Channel.HEADER, text)

    def add_entry(self, channel: int, text: str | bytes) -> None:
        """Add `text` on `channel` (0 stdout, 1 stderr, 2 header).

        Raises:
            LogFinished: the log was finished.
            ValueError: there is no such channel.
            ChunkStoreError: storing what was added before failed.
        """
        number = int(Channel(channel))
        data = text.encode() if isinstance(text, str) else bytes(text)
        with self._lock:
            self._refuse_if_ended()
            if self._pending_bytes and number != self._channel:
                self._store()
            if not data:
                return
            if not self._pending_bytes:
                self._channel = number
                self._began = time.monotonic()
                self._began_us = time.time_ns() // 1000
            began = not self._pieces
            self._pieces.append(data)
            self._pending_bytes += len(data)
            if self._pending_bytes >= MERGE_BYTES or time.monotonic() - self._began >= MERGE_SECONDS:
                self._store()
            elif began:
                _flusher.expect(self)

    def flush(self) -> None:
        """Store what was added, now."""
        with self._lock:
            self._refuse_if_ended()
            self._store()

    def finish(self) -> LogFile:
        """Store what was added and finish the log as verified; returns its row as it is then."""
        with self._lock:
            self._refuse_if_ended()
            self._store()
            self._log = finish_log(
                self._log, received=self._received, sha256=self._sha256.hexdigest(), unverified=False
            )
            self._finished = True
            return self._log

    def flush_if_due(self, now: float) -> None:
        """Store what has waited for MERGE_SECONDS; errors are kept for the next call of the writer's owner."""
        with self._lock:
            if self.waiting and now - self._began >= MERGE_SECONDS:
                try:
                    self._store()
                    self._error = None  # it passed, and nothing was lost
                except Exception as error:
                    self._error = error

    @property
    def waiting(self) -> bool:
        """Whether something was added that is not stored yet, and might be."""
        return self._pending_bytes > 0 and isinstance(self._error, PASSING_ERRORS)

    def _refuse_if_ended(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if self._finished:
            raise LogFinished(self._received)

    def _store(self) -> None:
        """Store the pending run; it stays pending if the store refuses it."""
        if not self._pending_bytes:
            return
        data = b"".join(self._pieces)
        entry = Entry(self._channel, data, self._began_us)
        appended = append_output(self._log.pk, self._log.key, [entry], offset=self._received)
        self._sha256.update(data)
        self._received += len(data)
        self._pieces.clear()
        self._pending_bytes = 0
        counters.note(self._log.pk, appended.end)


class _Flusher:
    """One thread for all writers of the process: stores runs that nobody adds to any more."""

    def __init__(self) -> None:
        self._writers: set[LogWriter] = set()  # of which some run waits: nobody else may know them any more
        self._lock = threading.Lock()
        self._filled = threading.Event()
        self._thread: threading.Thread | None = None

    def expect(self, writer: LogWriter) -> None:
        """Look after `writer`, which has begun a run."""
        with self._lock:
            self._writers.add(writer)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="log-writer-flusher", daemon=True)
                self._thread.start()
        self._filled.set()

    def _run(self) -> None:
        while True:
            self._filled.wait()
            time.sleep(MERGE_SECONDS / 2)
            with self._lock:
                self._writers = {writer for writer in self._writers if writer.waiting}
                writers = tuple(self._writers)
                if not writers:
                    self._filled.clear()
            now = time.monotonic()
            for writer in writers:
                writer.flush_if_due(now)


_flusher = _Flusher()
