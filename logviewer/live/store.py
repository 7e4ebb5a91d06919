"""The process's one chunk store."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from logviewer.chunkstore import ChunkStore, FsyncPolicy, LogReader
from logviewer.live.archive import open_archive


@cache
def chunk_store() -> ChunkStore:
    """The store under the settings' LOGS_DIR, opened on first use; one a process, safe for threads."""
    return ChunkStore(settings.LOGS_DIR, fsync=FsyncPolicy(settings.BUILDLOGS_FSYNC), archive=open_archive())


def open_reader(key: str) -> LogReader:
    """Open a log and look where it ends; for a worker thread, as it may wait for a disk or for another store.

    Afterwards `end` costs no more than two fstat, and nothing at all where the log lies in another store. Raises
    NoSuchLog, CorruptIndex, CorruptSealed, ArchiveAway.
    """
    reader = chunk_store().reader(key)
    try:
        reader.end()
    except BaseException:
        reader.close()
        raise
    return reader
