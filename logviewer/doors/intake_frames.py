"""Frames of `/ws/intake/`: what is in one, and how those of one log go into the store, in order (websocket.md)."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from logviewer.chunkstore import Entry, LogEnd, LogLocked, MalformedChunks, OffsetGap, parse_chunk_stream
from logviewer.doors.guard import DEFAULT_MAX_BODY_BYTES
from logviewer.doors.uploads import Target

MAX_FRAME_BYTES = DEFAULT_MAX_BODY_BYTES
"""A frame with its header: 1 MiB, and the room for framing that a body over HTTP has."""

MAX_HEADER_BYTES = 1024
MAX_NUMBER = 2**63 - 1

_LENGTH = struct.Struct(">I")
_KNOWN_FIELDS = {"log", "offset", "skip"}


class MalformedFrame(Exception):
    """A message that is no frame, so that nobody can say which log it is for."""


class IntakeFrame(NamedTuple):
    """One frame: a chunk stream for a log, from payload offset `offset` on, of which the first `skip` bytes are lost.

    `size_bytes` is that of the whole message.
    """

    log_id: int
    offset: int
    skip: int
    stream: bytes
    size_bytes: int


@dataclass(slots=True)
class Stored:
    """What became of frames of one log: the first `done` of them were stored or refused, in order."""

    done: int = 0
    end: LogEnd | None = None
    """Where the log ended after the last frame that was stored; None where none was."""
    errors: list[tuple[int, Exception]] = field(default_factory=list)
    """Which of the frames were refused, and why; nothing of these was stored."""
    locked: LogLocked | None = None
    """Why the frames after them wait: another writer is at the log."""


def parse_frame(message: bytes) -> IntakeFrame:
    """Take a binary message apart.

    Raises:
        MalformedFrame: it has no header that names a log and an offset.
    """
    if len(message) > MAX_FRAME_BYTES:
        raise MalformedFrame(f"a frame has at most {MAX_FRAME_BYTES} bytes, not {len(message)}")
    if len(message) < _LENGTH.size:
        raise MalformedFrame(f"a frame begins with the header's length in {_LENGTH.size} bytes")
    (length,) = _LENGTH.unpack_from(message)
    start = _LENGTH.size + length
    if length > MAX_HEADER_BYTES:
        raise MalformedFrame(f"a header has at most {MAX_HEADER_BYTES} bytes, not {length}")
    if start > len(message):
        raise MalformedFrame(f"a header of {length} bytes goes beyond the frame's {len(message)}")
    log_id, offset, skip = _header(message[_LENGTH.size : start])
    return IntakeFrame(log_id, offset, skip, message[start:], len(message))


def _header(data: bytes) -> tuple[int, int, int]:
    """The header's log, offset and skip."""
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        raise MalformedFrame(f"the header is not JSON: {data[:80]!r}") from None
    if not isinstance(header, dict):
        raise MalformedFrame("the header is a JSON object with log and offset")
    unknown = header.keys() - _KNOWN_FIELDS
    if unknown:
        raise MalformedFrame(f"there is no header field {min(unknown)[:80]!r}; there are log, offset, skip")
    return _number(header, "log"), _number(header, "offset"), _number(header, "skip") if "skip" in header else 0


def _number(header: dict[str, Any], name: str) -> int:
    value = header.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise MalformedFrame(f"the header's {name} must be a whole number from 0 to 2^63-1, not {value!r:.40}")
    return value


def store_frames(target: Target, frames: Sequence[IntakeFrame]) -> Stored:
    """Store frames of one log in order, those that join on as one append; for a writing thread.

    Each frame is stored whole or refused whole, as if it had come alone.
    """
    stored = Stored()
    received: int | None = None  # where the log ends that the last frame left a gap to
    joined_frames = len(frames)
    while stored.done < len(frames):
        first = frames[stored.done]
        count = 1
        try:
            if received is not None and first.offset > received:  # sent before the writer knew
                raise OffsetGap(first.offset, received)
            count, entries = _join(frames, stored.done, joined_frames)
            appended = target.append_at_once(entries, first.offset, first.skip)
        except LogLocked as error:
            stored.locked = error
            break
        except Exception as error:
            if count > 1:  # which of them it is shows when they are stored one by one, as all that follow are
                joined_frames = 1
                continue
            received = error.received if isinstance(error, OffsetGap) else None
            stored.errors.append((stored.done, error))
        else:
            received = None
            stored.end = appended.end
        stored.done += count
    return stored


def _join(frames: Sequence[IntakeFrame], start: int, most_frames: int) -> tuple[int, list[Entry]]:
    """How many frames from `start` on join on to each other, and their entries, as if they had come as one.

    Raises:
        MalformedChunks: the first of them is no chunk stream.
    """
    first = frames[start]
    entries = parse_chunk_stream(first.stream)
    end = first.offset + first.skip + _payload_bytes(entries)
    size_bytes, count = len(first.stream), 1
    for frame in frames[start + 1 : start + most_frames]:
        size_bytes += len(frame.stream)
        if frame.offset != end or frame.skip or size_bytes > MAX_FRAME_BYTES:
            break
        try:
            more = parse_chunk_stream(frame.stream)
        except MalformedChunks:
            break
        entries += more
        end += _payload_bytes(more)
        count += 1
    return count, entries


def _payload_bytes(entries: Sequence[Entry]) -> int:
    return sum([len(entry.data) for entry in entries])
