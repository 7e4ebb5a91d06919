"""Bytes on disk: a log is its text, an index of who wrote which extent and when, and the wire form of both.

This room keeps what it acknowledged and reads it back by offset.
It must not import Django or asyncio, and knows nothing of builds, HTTP or viewers: a log is a key.
"""

from logviewer.chunkstore.errors import (
    ChunkStoreError,
    CorruptIndex,
    InvalidAppend,
    InvalidKey,
    LogFinished,
    LogLocked,
    MalformedChunks,
    Mismatch,
    NoSuchLog,
    OffsetGap,
    OverlapDiffers,
    StorageFull,
)
from logviewer.chunkstore.keys import check_key
from logviewer.chunkstore.lock import LOCK_WAIT_SECONDS
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.shapes import Appended, Finished, Frame, LogEnd, Position
from logviewer.chunkstore.store import ChunkStore
from logviewer.chunkstore.syncer import FsyncPolicy
from logviewer.chunkstore.wire import Channel, Entry, encode_entry, encode_time, parse_chunk_stream

__all__ = [
    "LOCK_WAIT_SECONDS",
    "Appended",
    "Channel",
    "ChunkStore",
    "ChunkStoreError",
    "CorruptIndex",
    "Entry",
    "Finished",
    "Frame",
    "FsyncPolicy",
    "InvalidAppend",
    "InvalidKey",
    "LogEnd",
    "LogFinished",
    "LogLocked",
    "LogReader",
    "MalformedChunks",
    "Mismatch",
    "NoSuchLog",
    "OffsetGap",
    "OverlapDiffers",
    "Position",
    "StorageFull",
    "check_key",
    "encode_entry",
    "encode_time",
    "parse_chunk_stream",
]
