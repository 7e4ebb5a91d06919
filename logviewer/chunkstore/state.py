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
from logviewer.chunkstore.sources import LocalFile, Source
from logviewer.chunkstore.wire import Channel

logger = logging.getLogger(__name__)


class State(NamedTuple):
    """A log's end as its index gives it.

    `newlines` counts the LFs of the text, `open_line` says that text follows the last of them, and `last` is the
    last record as it lies on disk, empty where there is none. `headers` are the bytes of channel 2 from the writer,
    `headers_ended` says that more of them came than are kept. `notices` counts what says where the output's head
    ended (1) and that its final bytes follow (2).
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
    headers: int = 0
    notices: int = 0
    headers_ended: bool = False

    @property
    def head(self) -> int:
        """The writer's bytes of stdout and stderr in the text."""
        return self.received - self.omitted - self.headers

    @property
    def truncated(self) -> bool:
        """Whether the head has ended: stdout and stderr go to the tail."""
        return self.notices > 0

    @property
    def index_size(self) -> int:
        """The bytes of an index of so many records."""
        return HEADER_BYTES + self.records * RECORD_BYTES

    def end(self) -> LogEnd:
        """The same as others see it."""
        return LogEnd(
            self.size, self.newlines + self.open_line, self.received, self.finished, self.omitted, self.last_time_us
        )


def recover(index: Index, index_fd: int, text: LocalFile, checked: State) -> State:
    """Find a log's end, checking what lies behind both `synced` and `checked`, and cut what fails.

    The caller holds the log's lock. CorruptIndex, and nothing is changed, where the damage is older than `synced`:
    that was on stable storage, so it is no torn append.
    """
    index_size, text_size = index.source.size(), text.size()
    synced, count = index.synced(), index.count()
    if count < synced:
        raise CorruptIndex(index.path, f"the index has {count} records, of which {synced} were on stable storage")
    state = checked if _still_there(index, checked, count) else State()
    if state.records < synced or state.size > text_size:
        state = state_at(index, text, synced, text_size) if synced else State()
    state, fault = _check_records(index, text, state, count, text_size)
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
        os.ftruncate(index_fd, state.index_size)  # first, so that no record ever speaks of bytes that are gone
        os.ftruncate(text.fd, state.size)
    return state


def advance(state: State, packed: bytes, extent: bytes) -> tuple[State, str]:
    """Return the state after one more record, and an empty string; or `state` and what is wrong with the record."""
    record = unpack_record(packed)
    fault = _fault(state, record, packed)
    if not fault and (len(extent) != record.length or zlib.crc32(extent, crc_of_fields(packed)) != record.crc32):
        fault = "CRC differs" if len(extent) == record.length else "its text is not there"
    if fault:
        return state, f"record {state.records}: {fault}"
    counted, flags = record.received - state.received, record.flags
    return State(
        state.records + 1,
        record.end,
        state.newlines + extent.count(b"\n"),
        not extent.endswith(b"\n") if extent else state.open_line,
        record.received,
        state.omitted + counted - (0 if flags & Flags.NOTICE else record.length),
        bool(flags & Flags.END),
        record.time_us,
        packed,
        state.headers + (record.length if record.channel == Channel.HEADER and not flags else 0),
        state.notices + (flags == Flags.NOTICE),
        state.headers_ended or (flags == Flags.NOTICE | Flags.DROPPED and not counted),
    ), ""


def _fault(state: State, record: Record, packed: bytes) -> str:
    """Say how a record's fields contradict the ones before it or themselves; empty if they do not."""
    counted = record.received - state.received
    if state.finished:
        return "it follows the end record"
    if record.offset != state.size:
        return f"offset {record.offset}, but the text before it ends at {state.size}"
    if record.line != state.newlines:
        return f"line {record.line}, but {state.newlines} LFs lie before it"
    if record.flags & ~ALL_FLAGS or record.channel > Channel.HEADER or packed[RESERVED_OFFSET:] != RESERVED:
        return f"channel {record.channel}, flags {record.flags:#x} or reserved bytes are unknown"
    if counted < 0 if record.flags & Flags.DROPPED else counted != record.received_length:
        return f"received {record.received} does not follow {state.received}"
    if record.flags & Flags.END and record.length:
        return f"an end record with {record.length} bytes"
    return ""


def _still_there(index: Index, checked: State, count: int) -> bool:
    """Say whether the end that was checked earlier is part of the index as it is now."""
    return 0 < checked.records <= count and index.packed(checked.records - 1, checked.records) == checked.last


def _check_records(index: Index, text: LocalFile, state: State, count: int, text_size: int) -> tuple[State, str]:
    """Advance over records [state.records, count); stop at the first that fails and say why.

    A log's tail that no end record follows is a finish that was torn: the state is then the one before it.
    """
    before_tail: State | None = None
    for _number, slab in index.slabs(state.records, count):
        for place in range(0, len(slab), RECORD_BYTES):
            packed = slab[place : place + RECORD_BYTES]
            record = unpack_record(packed)
            reads = record.offset == state.size and record.end <= text_size
            extent = text.read(record.offset, record.length) if reads else b""
            before, (state, fault) = state, advance(state, packed, extent)
            if state.notices > before.notices == 1:
                before_tail = before
            if fault:
                return before_tail or state, fault
    return (state if state.finished else before_tail or state), ""


def state_at(index: Index, text: Source, count: int, text_size: int) -> State:
    """Return the state after the first `count` records, of which only the last is looked at and must be whole."""
    packed = index.packed(count - 1, count)
    record = unpack_record(packed)
    if record.end > text_size:
        raise CorruptIndex(index.path, f"the text has {text_size} bytes, of which {record.end} were on stable storage")
    before = State(
        records=count - 1,
        size=record.offset,
        newlines=record.line,
        open_line=record.offset > 0 and text.read(record.offset - 1, 1) != b"\n",
        received=record.received - record.received_length,
    )
    state, fault = advance(before, packed, text.read(record.offset, record.length))
    if fault:
        raise CorruptIndex(index.path, f"{fault}, though it was on stable storage: nothing can be appended after it")
    return state._replace(**index.totals(0, count)._asdict())
