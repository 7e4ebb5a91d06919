"""The few calls that write: whole or not at all, on stable storage or not, and what a full disk looks like."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from logviewer.chunkstore.errors import StorageDenied, StorageFull
from logviewer.chunkstore.record import SYNCED, SYNCED_OFFSET

FILE_MODE = 0o640
"""Logs may hold secrets that a build printed: not for everyone on the machine."""

MAX_BUFFERS = 1024
"""IOV_MAX of Linux: what one pwritev takes."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def write_whole(fd: int, buffers: Sequence[bytes], offset: int) -> None:
    """Write all buffers at `offset`; the kernel may stop early (full disk, signal), so the rest is asked for again."""
    left = sum(map(len, buffers))
    if len(buffers) > MAX_BUFFERS:
        buffers = [b"".join(buffers)]
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


def storage_denied(error: OSError, path: Path) -> StorageDenied | None:
    """Return what is to be told if the error means that the process may not use the file, else None."""
    return StorageDenied(path, error.strerror or "permission denied") if error.errno in DENIED else None


def write_synced(index_fd: int, count: int) -> None:
    """Note in the index's header that `count` records are on stable storage. Never backwards; under the log's lock."""
    if count > SYNCED.unpack(os.pread(index_fd, SYNCED.size, SYNCED_OFFSET))[0]:
        os.pwrite(index_fd, SYNCED.pack(count), SYNCED_OFFSET)


def sync_directories(directory: Path, root: Path) -> None:
    """Put the names in `directory`, and its own and its parents' up to `root`, on stable storage."""
    for path in (directory, *directory.parents):
        sync_directory(path)
        if path == root:
            return


def sync_directory(directory: Path) -> None:
    """Put the names in `directory` on stable storage."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
