"""Bytes on disk: a log is its text, an index of who wrote which extent and when, and the wire form of both.

This room keeps what it acknowledged and reads it back by offset.
It must not import Django or asyncio, and knows nothing of builds, HTTP or viewers: a log is a key.
"""

from logviewer.chunkstore.archive import Archive
from logviewer.chunkstore.errors import (
    ArchiveAway,
    ArchiveDiffers,
    ChunkStoreError,
    CorruptIndex,
    CorruptSealed,
    InvalidAppend,
    InvalidKey,
    LogFinished,
    LogLocked,
    LogOpen,
    MalformedChunks,
    Mismatch,
    NoSuchLine,
    NoSuchLog,
    NotSealed,
    OffsetGap,
    OverlapDiffers,
    StorageDenied,
    StorageFull,
    TextDiffers,
)
from logviewer.chunkstore.keys import check_key
from logviewer.chunkstore.limits import NO_LIMITS, Limits
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.shapes import Appended, Finished, Form, Frame, FrameView, LogEnd, Position, Redacted, Sealed
from logviewer.chunkstore.store import ChunkStore
from logviewer.chunkstore.syncer import FsyncPolicy
from logviewer.chunkstore.wire import (
    Channel,
    ChunkParser,
    Entry,
    encode_entry,
    encode_runs,
    encode_time,
    parse_chunk_stream,
)

__all__ = [
    "LOCK_WAIT_SECONDS",
    "NO_LIMITS",
    "Appended",
    "Archive",
    "ArchiveAway",
    "ArchiveDiffers",
    "Channel",
    "ChunkParser",
    "ChunkStore",
    "ChunkStoreError",
    "CorruptIndex",
    "CorruptSealed",
    "Entry",
    "Finished",
    "Form",
    "Frame",
    "FrameView",
    "FsyncPolicy",
    "InvalidAppend",
    "InvalidKey",
    "Limits",
    "LogEnd",
    "LogFinished",
    "LogLocked",
    "LogOpen",
    "LogReader",
    "MalformedChunks",
    "Mismatch",
    "NoSuchLine",
    "NoSuchLog",
    "NotSealed",
    "OffsetGap",
    "OverlapDiffers",
    "Position",
    "Redacted",
    "Sealed",
    "StorageDenied",
    "StorageFull",
    "TextDiffers",
    "check_key",
    "encode_entry",
    "encode_runs",
    "encode_time",
    "parse_chunk_stream",
]
