"""Creating and deleting a log's files."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from logviewer.chunkstore.disk import FILE_MODE, storage_denied, storage_full, sync_directories, write_whole
from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS, lock
from logviewer.chunkstore.record import HEADER_BYTES, pack_header, read_synced
from logviewer.chunkstore.tailfile import remove_tail

DIRECTORY_MODE = 0o750
"""As FILE_MODE: not for everyone on the machine."""

CREATE_TRIES = 10
"""Deleting the log beside may take the directory away between making and using it."""


def create_files(root: Path, files: LogFiles, sync: bool) -> None:
    """Make an empty log, or leave the one that is there; a creation that a crash cut short is completed.

    With `sync` the files and their names are on stable storage afterwards. Raises StorageFull, StorageDenied,
    LogLocked, and CorruptIndex where there is something else under these names.
    """
    try:
        with _opened_index(files) as index_fd:
            lock(index_fd, files.index, time.monotonic() + LOCK_WAIT_SECONDS)
            header = os.pread(index_fd, HEADER_BYTES, 0)
            if len(header) == HEADER_BYTES:
                read_synced(files.index, header)
                return
            _create_text(files)
            os.ftruncate(index_fd, 0)
            write_whole(index_fd, [pack_header()], 0)
            if sync:
                os.fsync(index_fd)
        if sync:
            sync_directories(files.index.parent, root)
    except OSError as error:
        told = storage_full(error, files.index) or storage_denied(error, files.index)
        if told:
            raise told from error
        raise


def delete_files(root: Path, files: LogFiles) -> None:
    """Remove a log's files, waiting for an append under way, and the directories that are empty then.

    What is gone already is no error, so that a deletion may be repeated. Raises LogLocked.
    """
    try:
        index_fd = os.open(files.index, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        with suppress(NotADirectoryError):
            _unlink_all_but_index(files)  # what was left beside it
    else:
        try:
            lock(index_fd, files.index, time.monotonic() + LOCK_WAIT_SECONDS)
            _unlink_all_but_index(files)
            files.index.unlink(missing_ok=True)  # last: a log is there while its index is
        finally:
            os.close(index_fd)
    remove_empty_directories(root, files.index.parent)


def remove_empty_directories(root: Path, directory: Path) -> None:
    """Remove a directory below `root` and those above it, as far as nothing is in them."""
    with suppress(OSError):
        for each in (directory, *directory.parents):
            if each == root:
                break
            each.rmdir()


def _unlink_all_but_index(files: LogFiles) -> None:
    for path in (files.text, files.sealed, files.sealing, files.marks, *files.redacting):
        path.unlink(missing_ok=True)
    remove_tail(files.tail)


@contextmanager
def _opened_index(files: LogFiles) -> Iterator[int]:
    """Open the index for writing, made with its directories where it is not there."""
    for attempt in range(CREATE_TRIES):
        files.index.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        try:
            fd = os.open(files.index, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            break
        except FileNotFoundError:
            if attempt == CREATE_TRIES - 1:
                raise
    try:
        yield fd
    finally:
        os.close(fd)


def _create_text(files: LogFiles) -> None:
    """Make the empty text; CorruptIndex where there is one with bytes, for it lost its index."""
    fd = os.open(files.text, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        size = os.fstat(fd).st_size
    finally:
        os.close(fd)
    if size:
        raise CorruptIndex(files.index, f"the index has no header, but there are {size} bytes of text")
