"""The few calls that write: whole or not at all, on stable storage or not, and what a full disk looks like."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from logviewer.chunkstore.errors import StorageFull
from logviewer.chunkstore.record import SYNCED, SYNCED_OFFSET

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_whole(fd: int, buffers: Sequence[bytes], offset: int) -> None:
    """Write all buffers at `offset`; the kernel may stop early (full disk, signal), so the rest is asked for again."""
    left = sum(map(len, buffers))
    while left:
        written = os.pwritev(fd, buffers, offset)
        if written == left:
            return
        if not written:
            raise OSError(errno.ENOSPC, "the file takes no more bytes")
        buffers = [b"".join(buffers)[written:]]
        left -= written
        offset += written


def storage_full(error: OSError, path: Path) -> StorageFull | None:
    """Return what the writer is to be told if the error means that there is no room, else None."""
    return StorageFull(path, error.strerror or "no room") if error.errno in FULL else None


def write_synced(index_fd: int, count: int) -> None:
    """Note in the index's header that `count` records are on stable storage. Never backwards; under the log's lock."""
    if count > SYNCED.unpack(os.pread(index_fd, SYNCED.size, SYNCED_OFFSET))[0]:
        os.pwrite(index_fd, SYNCED.pack(count), SYNCED_OFFSET)


def sync_directories(directory: Path, root: Path) -> None:
    """Put the names in `directory`, and its own and its parents' up to `root`, on stable storage."""
    for path in (directory, *directory.parents):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        if path == root:
            return
