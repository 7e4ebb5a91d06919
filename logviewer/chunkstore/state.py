"""What an appender must know of a log's end, and how it is found again after a crash."""

import logging
import os
import zlib
from typing import NamedTuple

from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.record import (
    ALL_FLAGS,
    HEADER_BYTES,
    RECORD_BYTES,
    RESERVED,
    RESERVED_OFFSET,
    Flags,
    Record,
    crc_of_fields,
    unpack_record,
)
from logviewer.chunkstore.shapes import LogEnd
from logviewer.chunkstore.wire import Channel

logger = logging.getLogger(__name__)


class State(NamedTuple):
    """A log's end as its index gives it.

    `newlines` counts the LFs of the text, `open_line` says that text follows the last of them, and `last` is the
    last record as it lies on disk, empty where there is none.
    """

    records: int = 0
    size: int = 0
    newlines: int = 0
    open_line: bool = False
    received: int = 0
    omitted: int = 0
    finished: bool = False
    last_time_us: int | None = None
    last: bytes = b""

    @property
    def index_size(self) -> int:
        """The bytes of an index of so many records."""
        return HEADER_BYTES + self.records * RECORD_BYTES

    def end(self) -> LogEnd:
        """The same as others see it."""
        return LogEnd(
            self.size, self.newlines + self.open_line, self.received, self.finished, self.omitted, self.last_time_us
        )


def recover(index: Index, text_fd: int, checked: State) -> State:
    """Find a log's end, checking what lies behind both `synced` and `checked`, and cut what fails.

    The caller holds the log's lock. CorruptIndex, and nothing is changed, where the damage is older than `synced`:
    that was on stable storage, so it is no torn append.
    """
    index_size, text_size = os.fstat(index.fd).st_size, os.fstat(text_fd).st_size
    synced, count = index.synced(), index.count()
    if count < synced:
        raise CorruptIndex(index.path, f"the index has {count} records, of which {synced} were on stable storage")
    state = checked if _still_there(index, checked, count) else State()
    if state.records < synced or state.size > text_size:
        state = _state_at(index, text_fd, synced, text_size) if synced else State()
    state, fault = _check_records(index, text_fd, state, count, text_size)
    if state.index_size != index_size or state.size != text_size:
        logger.warning(
            "%s: cut back to %d records (from %d bytes to %d) and its text from %d bytes to %d: %s",
            index.path,
            state.records,
            index_size,
            state.index_size,
            text_size,
            state.size,
            fault or "the last append was torn",
        )
        os.ftruncate(index.fd, state.index_size)  # first, so that no record ever speaks of bytes that are gone
        os.ftruncate(text_fd, state.size)
    return state


def advance(state: State, packed: bytes, extent: bytes) -> tuple[State, str]:
    """Return the state after one more record, and an empty string; or `state` and what is wrong with the record."""
    record = unpack_record(packed)
    fault = _fault(state, record, packed)
    if not fault and (len(extent) != record.length or zlib.crc32(extent, crc_of_fields(packed)) != record.crc32):
        fault = "CRC differs" if len(extent) == record.length else "its text is not there"
    if fault:
        return state, f"record {state.records}: {fault}"
    omitted = record.received - state.received - (0 if record.flags & Flags.NOTICE else record.length)
    return State(
        state.records + 1,
        record.end,
        state.newlines + extent.count(b"\n"),
        not extent.endswith(b"\n") if extent else state.open_line,
        record.received,
        state.omitted + omitted,
        bool(record.flags & Flags.END),
        record.time_us,
        packed,
    ), ""


def _fault(state: State, record: Record, packed: bytes) -> str:
    """Say how a record's fields contradict the ones before it or themselves; empty if they do not."""
    payload = 0 if record.flags & Flags.NOTICE else record.length
    dropped = record.received - state.received - payload
    if state.finished:
        return "it follows the end record"
    if record.offset != state.size:
        return f"offset {record.offset}, but the text before it ends at {state.size}"
    if record.line != state.newlines:
        return f"line {record.line}, but {state.newlines} LFs lie before it"
    if record.flags & ~ALL_FLAGS or record.channel > Channel.HEADER or packed[RESERVED_OFFSET:] != RESERVED:
        return f"channel {record.channel}, flags {record.flags:#x} or reserved bytes are unknown"
    if dropped < 0 or (dropped and not record.flags & Flags.DROPPED):
        return f"received {record.received} does not follow {state.received}"
    if record.flags & Flags.END and record.length:
        return f"an end record with {record.length} bytes"
    return ""


def _still_there(index: Index, checked: State, count: int) -> bool:
    """Say whether the end that was checked earlier is part of the index as it is now."""
    return 0 < checked.records <= count and index.packed(checked.records - 1, checked.records) == checked.last


def _check_records(index: Index, text_fd: int, state: State, count: int, text_size: int) -> tuple[State, str]:
    """Advance over records [state.records, count); stop at the first that fails and say why."""
    for _number, slab in index.slabs(state.records, count):
        for place in range(0, len(slab), RECORD_BYTES):
            packed = slab[place : place + RECORD_BYTES]
            record = unpack_record(packed)
            reads = record.offset == state.size and record.end <= text_size
            extent = os.pread(text_fd, record.length, record.offset) if reads else b""
            state, fault = advance(state, packed, extent)
            if fault:
                return state, fault
    return state, ""


def _state_at(index: Index, text_fd: int, count: int, text_size: int) -> State:
    """Return the state after the first `count` records, of which only the last is looked at and must be whole."""
    packed = index.packed(count - 1, count)
    record = unpack_record(packed)
    if record.end > text_size:
        raise CorruptIndex(index.path, f"the text has {text_size} bytes, of which {record.end} were on stable storage")
    before = State(
        records=count - 1,
        size=record.offset,
        newlines=record.line,
        open_line=record.offset > 0 and os.pread(text_fd, 1, record.offset - 1) != b"\n",
        received=record.received - (0 if record.flags & Flags.NOTICE else record.length),
    )
    state, fault = advance(before, packed, os.pread(text_fd, record.length, record.offset))
    if fault:
        raise CorruptIndex(index.path, f"{fault}, though it was on stable storage: nothing can be appended after it")
    return state._replace(omitted=index.omitted(0, count))
