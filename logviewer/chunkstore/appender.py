"""One log, open for appending in this process: the lock, the offset rules, the order of writing."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from logviewer.chunkstore.batch import Batch
from logviewer.chunkstore.digest import TextDigest, digest_log, is_verified
from logviewer.chunkstore.disk import storage_denied, storage_full, write_synced, write_whole
from logviewer.chunkstore.errors import (
    InvalidAppend,
    LogFinished,
    LogLocked,
    NoSuchLog,
    OffsetGap,
    TextMissing,
)
from logviewer.chunkstore.extents import merge_entries, without_first
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.limits import NO_LIMITS, Limits
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS, lock, unlock
from logviewer.chunkstore.overlap import check_overlap
from logviewer.chunkstore.shapes import Finished
from logviewer.chunkstore.sources import LocalFile
from logviewer.chunkstore.state import State, recover
from logviewer.chunkstore.tail import TailHeader
from logviewer.chunkstore.tailfile import TailFile
from logviewer.chunkstore.wire import Entry

logger = logging.getLogger(__name__)

MAX_RECEIVED = 2**62
"""Leaves a u64 room for what follows; no honest writer comes near."""


class LogAppender:
    """Appends to one log. `append` and `finish` are called between a successful `acquire` and `release`.

    `checked` is where an earlier appender of this process left the log: what lies before it is not checked again.
    `inode` is the index file's own number, once acquired: another one under the same name is another log.
    """

    def __init__(self, files: LogFiles, checked: State | None = None) -> None:
        self.files = files
        self.state = checked or State()
        self.inode = 0
        self._known = False  # that the files end where `state` says
        self._looked_at: State | None = None
        self._digest = TextDigest()
        self._mutex = threading.Lock()
        self._retired = False
        self._text = LocalFile(-1)
        self._index_file = LocalFile(-1)
        self._index = Index(files.index, self._index_file)
        self._tail = TailFile(files.tail)

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
            unlock(self._index_file.fd)
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

    def retire_without_text(self) -> bool:
        """Close the files if another process removed or replaced the text, whose bytes they alone still keep.

        Not while a thread is at it, nor looked for where the log got anything since the last call: sealing and all that
        comes later wait for its end, and a thousand logs that are written are not asked about.
        """
        before, self._looked_at = self._looked_at, self.state
        if before is not self.state or not self._mutex.acquire(blocking=False):
            return False
        try:
            if self._text.fd < 0 or os.fstat(self._text.fd).st_nlink:
                return False
            self._close()
        finally:
            self._mutex.release()
        return True

    def append(
        self,
        entries: Sequence[Entry],
        offset: int | None,
        skip: int,
        arrived_us: int,
        sync: bool,
        limits: Limits = NO_LIMITS,
    ) -> None:
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
            tail = self._tail.extents() if state.truncated else []
            check_overlap(self._index, self._text, state, entries, offset + skip, known, tail)
            entries = without_first(entries, known)
        if not lost and known == total:
            return
        if state.finished:
            raise LogFinished(state.received)
        batch = Batch(state, limits)
        if lost:
            batch.add_lost_notice(lost, arrived_us)
        batch.add_payload(b"".join([entry.data for entry in entries]), merge_entries(entries, arrived_us))
        self._write(batch, sync)

    def finish(self, received: int | None, sha256: str | None, unverified: bool, arrived_us: int) -> Finished:
        """Check what the writer says, append tail and end record if there is none, sync. As ChunkStore.finish."""
        batch = Batch(self.state)
        if not self.state.finished:
            batch.add_tail(self._tail.final(), arrived_us)
            batch.add_end(arrived_us)
        digests = digest_log(self._index, self._text, self.state, batch.text, self._digest)
        verified = is_verified(digests, self.state, received, sha256, unverified)
        self._write(batch, sync=True)
        self._tail.remove()
        return Finished(self.state.end(), digests.payload, digests.text, verified)

    def sync(self) -> None:
        """Put text, tail and index on stable storage, then say so in the header."""
        os.fdatasync(self._text.fd)
        self._tail.sync()
        os.fdatasync(self._index_file.fd)
        write_synced(self._index_file.fd, self.state.records)

    def _new_part(self, total: int, offset: int, skip: int) -> tuple[int, int]:
        """Return (lost bytes not yet counted, leading bytes of the body known already)."""
        received, start = self.state.received, offset + skip
        if offset < 0 or skip < 0:
            raise InvalidAppend(f"offset {offset} and skip {skip} must not be negative")
        if self.state.finished and start + total > received:
            raise LogFinished(received)
        if offset > received:
            raise OffsetGap(offset, received)
        if start > MAX_RECEIVED:
            raise InvalidAppend(f"offset {offset} and skip {skip} together must not be more than {MAX_RECEIVED}")
        return max(0, start - received), min(total, max(0, received - start))

    def _write(self, batch: Batch, sync: bool) -> None:
        """Write text, then tail, then index; take all back if one fails."""
        before = batch.before
        self._known = False
        try:
            write_whole(self._text.fd, batch.text, before.size)
            self._write_tail(batch)
            write_whole(self._index_file.fd, [b"".join(batch.records)], before.index_size)
            self.state = batch.state
            if sync:
                self.sync()
            self._tail.settle()
        except BaseException as error:
            self.state = before
            os.ftruncate(self._index_file.fd, before.index_size)
            os.ftruncate(self._text.fd, before.size)
            self._tail.take_back()
            self._known = True
            full = storage_full(error, self.files.text) if isinstance(error, OSError) else None
            if full:
                raise full from error
            raise
        self._digest.follow(before.size, batch.text)
        self._known = True

    def _write_tail(self, batch: Batch) -> None:
        """Write what goes to the tail, if one is kept; the log that passes its limit with this batch gets a new one."""
        if not batch.tail:
            return
        max_bytes, truncated_before = batch.limits.max_tail_bytes, batch.before.truncated
        if max_bytes and not (truncated_before and self._tail.is_open):
            if truncated_before:
                logger.warning("%s is not there, or not to be used: it begins anew", self.files.tail)
            at_line_start = batch.head_ends_line and not truncated_before
            self._tail.create(TailHeader(max_bytes, batch.tail[0].position, at_line_start))
        if self._tail.is_open:
            self._tail.append(batch.tail)

    def _get_ready(self, deadline: float) -> bool:
        """Take the lock over processes and look at the log's end; `acquire` without its mutex."""
        if self._retired:
            return False
        if self._text.fd < 0:
            self._open()
        lock(self._index_file.fd, self.files.index, deadline)
        try:
            index = os.fstat(self._index_file.fd)
            if index.st_nlink:
                self.inode = index.st_ino
                self._read_end(index.st_size)
                return True
        except BaseException:
            unlock(self._index_file.fd)
            raise
        self._close()
        return False

    def _read_end(self, index_size: int) -> None:
        """Bring `state` up to what other processes have written. Cheap where nobody has: one fstat, of the text.

        The index was looked at for its links already: each system call of a writing thread hands the interpreter to
        another thread, and with a thousand slow logs waits to get it back.
        """
        if self._known:
            self._known = index_size == self.state.index_size and os.fstat(self._text.fd).st_size == self.state.size
        if not self._known:
            self._tail.close()
            self._digest = TextDigest()
            self.state = recover(self._index, self._index_file.fd, self._text, self.state)
            self._known = True
        if self.state.truncated and not self.state.finished:
            self._tail.look(self.state.received)

    def _open(self) -> None:
        """Open both files; NoSuchLog where there is no index, TextMissing where its text is not beside it."""
        try:
            index_fd = self._open_for_writing(self.files.index)
        except (FileNotFoundError, NotADirectoryError):
            self._retired = True
            raise NoSuchLog(self.files.key) from None
        try:
            self._text.fd = self._open_for_writing(self.files.text)
        except FileNotFoundError:
            os.close(index_fd)
            self._retired = True
            raise TextMissing(self.files.index, f"its text {self.files.text.name} is missing") from None
        except OSError:
            os.close(index_fd)
            raise
        self._index_file.fd = index_fd

    def _open_for_writing(self, path: Path) -> int:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise storage_denied(error, path) or error from None

    def _close(self) -> None:
        """Close both files (and with them the lock); from now on `acquire` says False."""
        self._retired = True
        self._text.close()
        self._index_file.close()
        self._tail.close()
