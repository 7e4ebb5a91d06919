"""The store's front: logs by key."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from logviewer.chunkstore.appender import LogAppender
from logviewer.chunkstore.appenders import MAX_OPEN_LOGS, Appenders
from logviewer.chunkstore.disk import sync_directories
from logviewer.chunkstore.errors import LogLocked
from logviewer.chunkstore.files import create_files, delete_files
from logviewer.chunkstore.keys import log_files
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.shapes import Appended, Finished
from logviewer.chunkstore.syncer import SYNC_INTERVAL_SECONDS, FsyncPolicy, Mark, Syncer
from logviewer.chunkstore.wire import Entry

logger = logging.getLogger(__name__)


class ChunkStore:
    """Logs under `root` (`BUILDLOGS_DATA_DIR/logs`), each two files. Thread-safe; one object a process.

    Any number of processes may have a store on one root: a log's lock makes them take turns.
    """

    def __init__(
        self,
        root: Path,
        *,
        fsync: FsyncPolicy = FsyncPolicy.INTERVAL,
        max_open: int = MAX_OPEN_LOGS,
        sync_interval_seconds: float = SYNC_INTERVAL_SECONDS,
    ) -> None:
        self.root = Path(root)
        self.fsync = FsyncPolicy(fsync)
        self._appenders = Appenders(self.root, max_open)
        self._syncer = Syncer(sync_interval_seconds)

    def create(self, key: str) -> None:
        """Make an empty log; one that is there stays as it is. Raises InvalidKey, StorageFull, LogLocked."""
        create_files(self.root, log_files(self.root, key), self.fsync is not FsyncPolicy.NEVER)

    def exists(self, key: str) -> bool:
        """Say whether there is a log under this key."""
        return log_files(self.root, key).index.is_file()

    def append(
        self,
        key: str,
        entries: Sequence[Entry],
        offset: int | None = None,
        skip: int = 0,
        arrived_us: int | None = None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    ) -> Appended:
        """Store one body and return how many payload bytes the log has received in all.

        `offset` is how many the writer believes were received before this body; None appends it as it comes. What is
        known already is compared with what is stored and not stored again, so any body may be sent again. `skip`
        says that the writer has lost that many bytes from `offset` on: a notice takes their place, and the body
        follows. `arrived_us` (now, if None) is the time of entries without one. `lock_wait_seconds` is how long
        another writer is waited for.

        When it returns the bytes are in both files, and on stable storage where the policy is `always`. When it
        raises, nothing of the body is stored: NoSuchLog, LogLocked, OffsetGap, OverlapDiffers, LogFinished (unless all
        of the body is known), StorageFull, CorruptIndex, InvalidAppend.
        """
        with self._appenders.exclusive(key, lock_wait_seconds) as appender:
            before = appender.state.records
            appender.append(
                entries, offset, skip, _now_us() if arrived_us is None else arrived_us, self.fsync is FsyncPolicy.ALWAYS
            )
            if self.fsync is FsyncPolicy.INTERVAL and appender.state.records > before:
                self._mark(appender)
            return Appended(appender.state.received, appender.state.end())

    def finish(
        self, key: str, received: int | None = None, sha256: str | None = None, unverified: bool = False
    ) -> Finished:
        """End the log: it takes no more bytes, and is on stable storage whatever the policy.

        `received` and `sha256` (hex) are the writer's count and hash of the payload; where one differs Mismatch is
        raised and the log stays as it was, unless `unverified`. May be repeated at any time with the same outcome.
        Reads all of the text. Raises NoSuchLog, LogLocked, Mismatch, StorageFull, CorruptIndex.
        """
        with self._appenders.exclusive(key) as appender:
            finished = appender.finish(received, sha256, unverified, _now_us())
        if self.fsync is FsyncPolicy.NEVER:  # else the names were synced when the log was created
            sync_directories(log_files(self.root, key).index.parent, self.root)
        return finished

    def delete(self, key: str) -> None:
        """Remove the log's files; no error where there are none. Readers in the middle go on. Raises LogLocked."""
        delete_files(self.root, log_files(self.root, key))
        self._appenders.close_log(key)

    def reader(self, key: str) -> LogReader:
        """Open the log for reading. Raises NoSuchLog, CorruptIndex.

        What was not on stable storage when this process first meets the log is checked before anyone reads it, and
        cut where it fails, as before appending: after a loss of power nobody is shown what recovery takes back. Call
        it on a thread that may wait, therefore; later readers of the log cost two opens.
        """
        reader = LogReader(log_files(self.root, key))
        try:
            if reader.has_unsynced_records() and not self._appenders.knows(key):
                self._recover(key)
        except BaseException:
            reader.close()
            raise
        return reader

    def close(self) -> None:
        """Wait for appends under way, put on stable storage what the policy promises, close all files."""
        self._appenders.close()
        self._syncer.close()

    def _recover(self, key: str) -> None:
        """Check a log's end, unless another process is at it, which has checked it then, or it cannot be written."""
        try:
            with self._appenders.exclusive(key):
                pass
        except (LogLocked, PermissionError) as error:
            logger.info("%s is read unchecked: %s", key, error)

    def _mark(self, appender: LogAppender) -> None:
        """Have the log synced within the interval."""
        self._syncer.mark(Mark(appender.files, appender.inode, appender.state.records, appender.state.last))


def _now_us() -> int:
    return time.time_ns() // 1000
