"""The process's one chunk store."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from logviewer.chunkstore import ChunkStore, FsyncPolicy, LogReader
from logviewer.live.archive import open_archive
from logviewer.live.descriptors import raise_descriptor_limit

MAX_OPEN_LOGS = 2048
"""That are kept open for appending: with fewer than are written to, each append opens its log again."""

DESCRIPTORS_FOR_EACH = 4
"""An open log takes two, at worst three; the others are for viewers."""


@cache
def chunk_store() -> ChunkStore:
    """The store under the settings' LOGS_DIR, opened on first use; one a process, safe for threads."""
    return ChunkStore(
        settings.LOGS_DIR,
        fsync=FsyncPolicy(settings.BUILDLOGS_FSYNC),
        max_open=min(MAX_OPEN_LOGS, raise_descriptor_limit() // DESCRIPTORS_FOR_EACH),
        archive=open_archive(),
    )


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
