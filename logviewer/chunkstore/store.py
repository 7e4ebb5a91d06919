"""The store's front: logs by key."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from logviewer.chunkstore.appender import LogAppender
from logviewer.chunkstore.appenders import MAX_OPEN_LOGS, SWEEP_INTERVAL_SECONDS, Appenders
from logviewer.chunkstore.archive import Archive
from logviewer.chunkstore.counts import AppendCounts
from logviewer.chunkstore.disk import sync_directories
from logviewer.chunkstore.errors import LogLocked, NoSuchLog, TextMissing
from logviewer.chunkstore.files import create_files, delete_files
from logviewer.chunkstore.finished import FinishedLog, open_finished
from logviewer.chunkstore.keys import log_files
from logviewer.chunkstore.limits import NO_LIMITS, Limits
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS
from logviewer.chunkstore.marker import Marker
from logviewer.chunkstore.moving import delete_log, move_log
from logviewer.chunkstore.opening import form_of, open_log, sealed_size
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.redacting import redact_log
from logviewer.chunkstore.sealing import THREADS, clear_leftovers, seal_log
from logviewer.chunkstore.shapes import Appended, Finished, Form, Redacted, Sealed
from logviewer.chunkstore.syncer import SYNC_INTERVAL_SECONDS, FsyncPolicy, Mark, Syncer
from logviewer.chunkstore.wire import Entry

logger = logging.getLogger(__name__)


class ChunkStore:
    """Logs under `root` (`BUILDLOGS_DATA_DIR/logs`). Thread-safe; one object a process.

    Any number of processes may have a store on one root: a log's lock makes them take turns. `archive` is the other
    store that sealed logs may have moved to; they are read from there.
    """

    def __init__(
        self,
        root: Path,
        *,
        fsync: FsyncPolicy = FsyncPolicy.INTERVAL,
        max_open: int = MAX_OPEN_LOGS,
        sync_interval_seconds: float = SYNC_INTERVAL_SECONDS,
        sweep_interval_seconds: float = SWEEP_INTERVAL_SECONDS,
        archive: Archive | None = None,
    ) -> None:
        self.root = Path(root)
        self.archive = archive
        self.fsync = FsyncPolicy(fsync)
        self.appended = AppendCounts()
        self._appenders = Appenders(self.root, max_open, sweep_interval_seconds)
        self._syncer = Syncer(sync_interval_seconds)
        self._marker = Marker()

    def create(self, key: str) -> None:
        """Make an empty log; one that is there stays as it is. Raises InvalidKey, StorageFull, LogLocked."""
        create_files(self.root, log_files(self.root, key), self.fsync is not FsyncPolicy.NEVER)

    def append(
        self,
        key: str,
        entries: Sequence[Entry],
        offset: int | None = None,
        skip: int = 0,
        arrived_us: int | None = None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
        limits: Limits = NO_LIMITS,
    ) -> Appended:
        """Store one body and return how many payload bytes the log has received in all.

        `offset` is how many the writer believes were received before this body; None appends it as it comes. What is
        known already is compared with what is stored and not stored again, so any body may be sent again. `skip`
        says that the writer has lost that many bytes from `offset` on: a notice takes their place, and the body
        follows. `arrived_us` (now, if None) is the time of entries without one. `lock_wait_seconds` is how long
        another writer is waited for. `limits` is how much of the log is kept: beyond, bytes are received all the same,
        and kept in the tail or dropped.

        When it returns the bytes are in both files, and on stable storage where the policy is `always`. When it
        raises, nothing of the body is stored: NoSuchLog, LogLocked, OffsetGap, OverlapDiffers, LogFinished (unless all
        of the body is known), StorageFull, CorruptIndex, InvalidAppend; of a sealed log CorruptSealed, ArchiveAway.
        """
        now_us = _now_us() if arrived_us is None else arrived_us
        try:
            with self._appenders.exclusive(key, lock_wait_seconds) as appender:
                before = appender.state
                appender.append(entries, offset, skip, now_us, self.fsync is FsyncPolicy.ALWAYS, limits)
                if self.fsync is FsyncPolicy.INTERVAL and appender.state.records > before.records:
                    self._mark(appender, appender.state.received - before.received)
                self._marker.appended(appender.files, before, appender.state)
                appended = Appended(appender.state.received, appender.state.end())
            if appended.received > before.received:
                self.appended.add(len(entries), appended.received - before.received)
            return appended
        except (NoSuchLog, TextMissing) as missing:
            with self._sealed_log(key, missing) as log:
                log.append(entries, offset, skip)
                return Appended(log.state.received, log.state.end())

    def finish(
        self, key: str, received: int | None = None, sha256: str | None = None, unverified: bool = False
    ) -> Finished:
        """End the log: it takes no more bytes, and is on stable storage whatever the policy.

        `received` and `sha256` (hex) are the writer's count and hash of the payload; where one differs Mismatch is
        raised and the log stays as it was, unless `unverified`. May be repeated at any time with the same outcome.
        Reads all of the text. Raises NoSuchLog, LogLocked, Mismatch, StorageFull, CorruptIndex; of a sealed log
        CorruptSealed, ArchiveAway.
        """
        try:
            with self._appenders.exclusive(key) as appender:
                finished = appender.finish(received, sha256, unverified, _now_us())
        except (NoSuchLog, TextMissing) as missing:
            with self._sealed_log(key, missing) as log:
                return log.finish(received, sha256, unverified)
        self._appenders.close_log(key, wait=True)  # or the text's bytes stay taken when another process seals it
        if self.fsync is FsyncPolicy.NEVER:  # else the names were synced when the log was created
            sync_directories(log_files(self.root, key).index.parent, self.root)
        return finished

    def seal(self, key: str, text_sha256: str | None = None, threads: int = THREADS) -> Sealed:
        """Put the sealed file of a finished log in the place of its text, which it is compared with first.

        `text_sha256` (hex) is what the text had at the finish, where that is known; `threads` compress. May be repeated
        at any time, in any process, also where a crash cut it short. Whatever is raised, the log can be read as before:
        NoSuchLog, LogOpen, LogLocked (another process is at it), TextDiffers, CorruptIndex, CorruptSealed, StorageFull,
        ArchiveAway.
        """
        files = log_files(self.root, key)
        self.complete_marks(key)  # now, while the text need not be decoded for it
        try:
            sealed = seal_log(files, text_sha256, threads, lambda: self._appenders.exclusive(key))
        except (FileNotFoundError, NoSuchLog, TextMissing):
            if files.text.exists():
                raise
            size_bytes = sealed_size(files, self.archive)
            clear_leftovers(files)
            return Sealed(size_bytes)
        self._appenders.close_log(key, wait=True)
        return sealed

    def move(self, key: str) -> None:
        """Take a sealed log to the archive; one that is there stays as it is. May be repeated, in any process.

        It is copied, read back and compared before anything is removed here, and can be read all the time. Raises
        NoSuchLog, NotSealed, LogLocked (another process is at it), ArchiveAway, ArchiveDiffers, CorruptSealed.
        """
        if self.archive is None:
            raise ValueError("this store has no archive that a log could move to")
        move_log(self.root, log_files(self.root, key), self.archive)
        self._appenders.close_log(key)

    def redact(self, key: str, first: int, last: int) -> Redacted:
        """Overwrite the lines `first` to `last` (from 1, both included) of a finished log with `*`, for good.

        Lines and offsets stay where they are. A log of the archive lies here afterwards, and has to be moved again.
        Readers in the middle go on. May be repeated, in any process, and has to be where it was cut short. Raises
        NoSuchLog, LogOpen, NoSuchLine, LogLocked (another process is at it), StorageFull, CorruptIndex, CorruptSealed,
        ArchiveAway.
        """
        files = log_files(self.root, key)
        try:
            return redact_log(self.root, files, first, last, self.archive, lambda: self._appenders.exclusive(key))
        finally:
            self._appenders.close_log(key, wait=True)

    def complete_marks(self, key: str) -> None:
        """Bring the marks of a log that lies here up to its end. Never raises: readers do what was not done."""
        self._marker.complete(log_files(self.root, key))

    def form(self, key: str) -> Form:
        """Say how the log lies. Raises NoSuchLog, ArchiveAway."""
        return form_of(log_files(self.root, key), self.archive)

    def delete(self, key: str) -> None:
        """Remove the log's files, in the archive as well; no error where there are none. May be repeated.

        Readers in the middle go on, but for those of the archive. Raises LogLocked, ArchiveAway.
        """
        files = log_files(self.root, key)
        if self.archive is None:
            delete_files(self.root, files)
        else:
            delete_log(self.root, files, self.archive)
        self._appenders.close_log(key)

    def reader(self, key: str) -> LogReader:
        """Open the log for reading, in whatever form. Raises NoSuchLog, CorruptIndex, CorruptSealed, ArchiveAway.

        What was not on stable storage when this process first meets the log is checked before anyone reads it, and
        cut where it fails, as before appending: after a loss of power nobody is shown what recovery takes back. Call
        it on a thread that may wait, therefore; later readers of the log cost two opens.
        """
        reader = open_log(log_files(self.root, key), self.archive)
        try:
            if reader.sealed is None and reader.has_unsynced_records() and not self._appenders.knows(key):
                self._recover(key)
        except BaseException:
            reader.close()
            raise
        return reader

    def close(self) -> None:
        """Wait for appends under way, put on stable storage what the policy promises, close all files."""
        self._appenders.close()
        self._syncer.close()
        self._marker.close()

    def _recover(self, key: str) -> None:
        """Check a log's end, unless another process is at it, which has checked it then, or it cannot be written."""
        try:
            self._appenders.check(key)
        except (LogLocked, PermissionError) as error:
            logger.info("%s is read unchecked: %s", key, error)

    @contextmanager
    def _sealed_log(self, key: str, missing: NoSuchLog | TextMissing) -> Iterator[FinishedLog]:
        """Open a log whose text is not there in plain; raises `missing` where it lies in no other form either."""
        with ExitStack() as opened:
            try:
                log = opened.enter_context(open_finished(log_files(self.root, key), self.archive))
            except NoSuchLog:
                raise missing from None
            yield log

    def _mark(self, appender: LogAppender, appended_bytes: int) -> None:
        """Have the log synced within the interval."""
        mark = Mark(appender.files, appender.inode, appender.state.records, appender.state.last)
        self._syncer.mark(mark, appended_bytes)


def _now_us() -> int:
    return time.time_ns() // 1000
