"""One log, open for appending in this process: the lock, the offset rules, the order of writing."""

import os
import threading
import time
from collections.abc import Sequence

from logviewer.chunkstore.batch import Batch
from logviewer.chunkstore.digest import digest_log
from logviewer.chunkstore.disk import storage_full, write_synced, write_whole
from logviewer.chunkstore.errors import (
    CorruptIndex,
    InvalidAppend,
    LogFinished,
    LogLocked,
    Mismatch,
    NoSuchLog,
    OffsetGap,
)
from logviewer.chunkstore.extents import merge_entries, without_first
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS, lock, unlock
from logviewer.chunkstore.overlap import check_overlap
from logviewer.chunkstore.shapes import Finished
from logviewer.chunkstore.state import State, recover
from logviewer.chunkstore.wire import Entry

MAX_RECEIVED = 2**62
"""Leaves a u64 room for what follows; no honest writer comes near."""


class LogAppender:
    """Appends to one log. `append` and `finish` are called between a successful `acquire` and `release`.

    `checked` is where an earlier appender of this process left the log: what lies before it is not checked again.
    """

    def __init__(self, files: LogFiles, checked: State | None = None) -> None:
        self.files = files
        self.state = checked or State()
        self._known = False  # that the files end where `state` says
        self._mutex = threading.Lock()
        self._retired = False
        self._text_fd = -1
        self._index = Index(files.index, -1)

    def acquire(self, deadline: float) -> bool:
        """Take the log for this thread, and read its end again, repairing it where the last append was torn.

        False: these files are closed or deleted, ask for another appender. Raises NoSuchLog, LogLocked, CorruptIndex.
        """
        if not self._mutex.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise LogLocked(self.files.index, LOCK_WAIT_SECONDS)
        ready = False
        try:
            ready = self._get_ready(deadline)
        finally:
            if not ready:
                self._mutex.release()
        return ready

    def release(self) -> None:
        """Let other threads and processes at the log."""
        try:
            unlock(self._index.fd)
        finally:
            self._mutex.release()

    def retire(self, wait: bool = False) -> bool:
        """Close the files for good; without `wait` not while a thread is at it: then False."""
        if not self._mutex.acquire(blocking=wait):
            return False
        try:
            self._close()
        finally:
            self._mutex.release()
        return True

    @property
    def inode(self) -> int:
        """The index file's own number: another one under the same name is another log."""
        return os.fstat(self._index.fd).st_ino

    def append(self, entries: Sequence[Entry], offset: int | None, skip: int, arrived_us: int, sync: bool) -> None:
        """Store what is new of the entries; `state` is the log's end afterwards. The rules are ChunkStore.append's."""
        state = self.state
        total = sum([len(entry.data) for entry in entries])
        lost = known = 0
        if offset is not None:
            lost, known = self._new_part(total, offset, skip)
        elif skip:
            raise InvalidAppend("skip needs the offset from which bytes are missing")
        if known:
            assert offset is not None
            check_overlap(self._index, self._text_fd, state, entries, offset + skip, known)
            entries = without_first(entries, known)
        if not lost and known == total:
            return
        if state.finished:
            raise LogFinished(state.received)
        batch = Batch(state)
        if lost:
            batch.add_lost_notice(lost, arrived_us)
        batch.add_payload(b"".join([entry.data for entry in entries]), merge_entries(entries, arrived_us))
        self._write(batch, sync)

    def finish(self, received: int | None, sha256: str | None, unverified: bool, arrived_us: int) -> Finished:
        """Check what the writer says, append the end record if there is none, sync. As ChunkStore.finish."""
        state = self.state
        digests = digest_log(self._index, self._text_fd, state)
        expected = sha256.lower() if sha256 is not None else None
        counts_agree = received is None or received == state.received
        hashes_agree = expected is None or digests.payload is None or expected == digests.payload
        if not (counts_agree and hashes_agree) and not unverified:
            raise Mismatch(received, state.received, expected, digests.payload)
        if not state.finished:
            batch = Batch(state)
            batch.add_end(arrived_us)
            self._write(batch, sync=False)
        self.sync()
        verified = received == state.received and expected is not None and expected == digests.payload
        return Finished(self.state.end(), digests.payload, digests.text, verified)

    def sync(self) -> None:
        """Put text and index on stable storage, then say so in the header."""
        os.fdatasync(self._text_fd)
        os.fdatasync(self._index.fd)
        write_synced(self._index.fd, self.state.records)

    def _new_part(self, total: int, offset: int, skip: int) -> tuple[int, int]:
        """Return (lost bytes not yet counted, leading bytes of the body known already)."""
        received, start = self.state.received, offset + skip
        if offset < 0 or skip < 0 or start > MAX_RECEIVED:
            raise InvalidAppend(f"offset {offset} and skip {skip} must lie between 0 and {MAX_RECEIVED}")
        if self.state.finished and start + total > received:
            raise LogFinished(received)
        if offset > received:
            raise OffsetGap(offset, received)
        return max(0, start - received), min(total, max(0, received - start))

    def _write(self, batch: Batch, sync: bool) -> None:
        """Write text, then index; take both back if either fails."""
        before = batch.before
        self._known = False
        try:
            write_whole(self._text_fd, batch.text, before.size)
            write_whole(self._index.fd, [b"".join(batch.records)], before.index_size)
            self.state = batch.state
            if sync:
                self.sync()
        except BaseException as error:
            self.state = before
            os.ftruncate(self._index.fd, before.index_size)
            os.ftruncate(self._text_fd, before.size)
            self._known = True
            full = storage_full(error, self.files.text) if isinstance(error, OSError) else None
            if full:
                raise full from error
            raise
        self._known = True

    def _get_ready(self, deadline: float) -> bool:
        """Take the lock over processes and look at the log's end; `acquire` without its mutex."""
        if self._retired:
            return False
        if self._text_fd < 0:
            self._open()
        lock(self._index.fd, self.files.index, deadline)
        try:
            if os.fstat(self._index.fd).st_nlink:
                self._read_end()
                return True
        except BaseException:
            unlock(self._index.fd)
            raise
        self._close()
        return False

    def _read_end(self) -> None:
        """Bring `state` up to what other processes have written. Cheap where nobody has: two fstat."""
        if self._known:
            index_size, text_size = os.fstat(self._index.fd).st_size, os.fstat(self._text_fd).st_size
            if index_size == self.state.index_size and text_size == self.state.size:
                return
            self._known = False
        self.state = recover(self._index, self._text_fd, self.state)
        self._known = True

    def _open(self) -> None:
        """Open both files; NoSuchLog where there is no index, CorruptIndex where its text is missing."""
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            index_fd = os.open(self.files.index, flags)
        except (FileNotFoundError, NotADirectoryError):
            self._retired = True
            raise NoSuchLog(self.files.key) from None
        try:
            self._text_fd = os.open(self.files.text, flags)
        except FileNotFoundError:
            os.close(index_fd)
            raise CorruptIndex(self.files.index, f"its text {self.files.text.name} is missing") from None
        self._index = Index(self.files.index, index_fd)

    def _close(self) -> None:
        """Close both files (and with them the lock); from now on `acquire` says False."""
        self._retired = True
        if self._text_fd >= 0:
            os.close(self._text_fd)
            os.close(self._index.fd)
            self._text_fd = -1
