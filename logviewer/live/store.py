"""The process's one chunk store."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from logviewer.chunkstore import ChunkStore, FsyncPolicy


@cache
def chunk_store() -> ChunkStore:
    """The store under the settings' LOGS_DIR, opened on first use; one a process, safe for threads."""
    return ChunkStore(settings.LOGS_DIR, fsync=FsyncPolicy(settings.BUILDLOGS_FSYNC))
