"""LogWriter: for steps that run inside the server's own process or a management command.

Buildbot 0.8's `LogFile` as its steps know it: `addStdout`, `addStderr`, `addHeader`, `addEntry`, `finish`. Runs of one
channel are merged up to 64 KiB or 50 ms before they are stored.
"""

from __future__ import annotations

import atexit
import hashlib
import math
import threading
import time
from itertools import groupby
from operator import itemgetter

from logviewer.chunkstore import Channel, Entry, LogFinished, LogLocked, StorageFull
from logviewer.intake.limits import log_limits
from logviewer.intake.output import append_output, finish_log
from logviewer.models import LogFile

MERGE_BYTES = 64 * 1024
MERGE_SECONDS = 0.05
TICK_SECONDS = MERGE_SECONDS / 2
"""The flusher looks this often and stores what will be due at its next look: so nothing is late, and a call need not
read the clock, which costs as much as adding 100 bytes."""

NO_CHANNEL = -1
_entry = tuple.__new__  # without the checks of Entry's own

PASSING_ERRORS = (LogLocked, StorageFull, type(None))
"""After any other error the flusher need not try again; a writer that nobody holds any more would keep it busy."""


class LogWriter:
    """Writes one log. Safe for threads; the order of calls is the order in the log.

    What was added is stored at the latest `MERGE_SECONDS` after the run began, or with `flush` or `finish`, or at the
    interpreter's exit. An error of the store that happened in between is raised by the next call.

    Args:
        log: an open log; only this writer may write it.
    """

    # Adding takes no lock, which would cost as much as all else it does. A call appends to `_added`, in one step, and
    # looks at `_open_channel` after that; `_store` clears `_open_channel` before it looks at `_added`. So a call that
    # comes too late for `_store` sees that, and says that there is something to store again. `_waiting_bytes` may
    # miss what two threads add at the same moment: the run is then a little longer, or ends a little early.

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._limits = log_limits(log)
        self._lock = threading.RLock()
        self._open_channel = NO_CHANNEL  # of the last call, if nothing has happened since
        self._added: list[Entry] = []
        self._waiting_bytes = 0
        self._began = 0.0
        self._began_us = 0
        self._sha256 = hashlib.sha256()
        self._received = 0
        self._finished = False
        self._error: Exception | None = None

    def add_stdout(self, text: str | bytes) -> None:
        """Add output; a `str` is stored as UTF-8."""
        self.add_entry(0, text)

    def add_stderr(self, text: str | bytes) -> None:
        """Add error output."""
        self.add_entry(1, text)

    def add_header(self, text: str | bytes) -> None:
        """Add a word of the build system itself."""
        self.add_entry(2, text)

    def add_entry(self, channel: int, text: str | bytes) -> None:
        """Add `text` on `channel` (0 stdout, 1 stderr, 2 header).

        Raises:
            LogFinished: the log was finished.
            ValueError: there is no such channel.
            ChunkStoreError: storing what was added before failed.
        """
        data = text if type(text) is bytes else _encoded(text)
        time_us = None if channel == self._open_channel else self._begin(channel)
        entry = _entry(Entry, (channel, data, time_us))
        self._added.append(entry)
        self._waiting_bytes += len(data)
        if channel != self._open_channel:
            self._expect(entry)
        if self._waiting_bytes >= MERGE_BYTES:
            with self._lock:
                self._store()

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

    def flush_if_began(self, moment: float) -> None:
        """Store a run that began before `moment` (`time.monotonic`); errors are kept for the owner's next call."""
        with self._lock:
            if self.waiting and self._began < moment:
                try:
                    self._store()
                    self._error = None  # it passed, and nothing was lost
                except Exception as error:
                    self._error = error

    @property
    def waiting(self) -> bool:
        """Whether something was added that is not stored yet, and might be."""
        return bool(self._added) and isinstance(self._error, PASSING_ERRORS)

    def _begin(self, channel: int) -> int:
        """Check what need not be checked again while calls for one channel follow each other; return the time."""
        Channel(channel)
        with self._lock:
            self._refuse_if_ended()
        return time.time_ns() // 1000

    def _expect(self, entry: Entry) -> None:
        """See to it that an entry that was just added is stored in time."""
        with self._lock:
            if self._finished:  # by another thread, after `_begin`: was it in time?
                for place, added in enumerate(self._added):
                    if added is entry:
                        del self._added[place]
                        raise LogFinished(self._received)
                return
            if self._open_channel == NO_CHANNEL:
                self._began = time.monotonic()
                self._began_us = time.time_ns() // 1000
                _flusher.expect(self)
            self._open_channel = entry.channel

    def _refuse_if_ended(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if self._finished:
            raise LogFinished(self._received)

    def _store(self) -> None:
        """Store what was added; it stays there if the store refuses it. The caller holds the lock."""
        self._open_channel = NO_CHANNEL
        self._waiting_bytes = 0
        taken = self._added[:]
        if not taken:
            return
        runs = [_joined(list(run), self._began_us) for _channel, run in groupby(taken, itemgetter(0))]
        append_output(self._log.pk, self._log.key, runs, offset=self._received, limits=self._limits)
        for run in runs:
            self._sha256.update(run.data)
            self._received += len(run.data)
        del self._added[: len(taken)]


def _encoded(text: str | bytes) -> bytes:
    """Return the bytes to store."""
    return text.encode() if isinstance(text, str) else bytes(text)


def _joined(run: list[Entry], began_us: int) -> Entry:
    """Return entries of one channel as one; a first one without a time was added while another thread was storing."""
    channel, _data, time_us = run[0]
    return Entry(channel, b"".join([entry[1] for entry in run]), began_us if time_us is None else time_us)


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

    def flush(self) -> None:
        """Store what waits, now: at the interpreter's exit, when this thread no longer runs."""
        with self._lock:
            writers = tuple(self._writers)
        for writer in writers:
            writer.flush_if_began(math.inf)

    def _run(self) -> None:
        while True:
            self._filled.wait()
            time.sleep(TICK_SECONDS)
            with self._lock:
                self._writers = {writer for writer in self._writers if writer.waiting}
                writers = tuple(self._writers)
                if not writers:
                    self._filled.clear()
            due = time.monotonic() + TICK_SECONDS - MERGE_SECONDS
            for writer in writers:
                writer.flush_if_began(due)


_flusher = _Flusher()
atexit.register(_flusher.flush)
