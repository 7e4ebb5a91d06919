"""The chunk stream: netstrings of a channel character and bytes, as in Buildbot 0.8's log files.

The spool holds it in *units*: a time entry followed by one entry of output, `17:t1700000000000000,13:0hello world!,`.
A unit is never split, so a body may begin with any unit and still carry its time.
"""

from __future__ import annotations

import json
import struct
from typing import NamedTuple, Union

STDOUT = 0
STDERR = 1
HEADER = 2

MAX_UNIT_PAYLOAD_BYTES = 64 * 1024
"""The server merges neighbours up to 64 KiB; longer entries would only make a cut at a body's end coarser."""

MAX_BODY_BYTES = 1024 * 1024
"""Bytes of chunk stream in a request; the server takes 1 MiB of payload plus 64 KiB of framing."""

MAX_FRAME_BYTES = 1024 * 1024
"""A binary message of `/ws/intake/`, header and chunk stream together."""

FRAME_HEADER_BYTES = 512
"""Kept free for a frame's header, which names a log and two numbers."""

Buffer = Union[bytes, memoryview]


class Piece(NamedTuple):
    """Output of one channel: `time_us` is when its first byte came, µs since the epoch."""

    channel: int
    time_us: int
    data: Buffer


def encode_unit(piece: Piece) -> list[Buffer]:
    """The unit of one piece as buffers to be written one after the other; the payload is not copied."""
    stamp = b"%d" % piece.time_us
    head = b"%d:t%b,%d:%d" % (len(stamp) + 1, stamp, len(piece.data) + 1, piece.channel)
    return [head, piece.data, b","]


def encode_frame(log: Union[int, str], offset: int, skip: int, body: Buffer) -> bytes:
    """A binary message of `/ws/intake/`: u32 big-endian header length, header of JSON, chunk stream."""
    header = json.dumps({"log": log, "offset": offset, **({"skip": skip} if skip else {})}).encode()
    return b"".join((struct.pack(">I", len(header)), header, body))


class UnitSpan(NamedTuple):
    """Where units lie in a buffer: `stop` is the end of the last whole unit, `payload` their bytes of output."""

    stop: int
    payload: int


def measure_units(buffer: bytes, payload_limit: int | None = None) -> UnitSpan:
    """Walk over the whole units at the start of `buffer`; what a power cut left instead of one ends the walk.

    With `payload_limit`, stop before the unit that would go beyond so many bytes of output.
    """
    position = payload = 0
    while True:
        first = buffer.find(b":", position, position + 8)
        if first < 0 or not buffer[position:first].isdigit():
            break
        second_start = first + 1 + int(buffer[position:first]) + 1
        second = buffer.find(b":", second_start, second_start + 8)
        if second < 0 or not buffer[second_start:second].isdigit():
            break
        length = int(buffer[second_start:second])
        stop = second + 1 + length + 1
        if not length or stop > len(buffer) or (payload_limit is not None and payload + length - 1 > payload_limit):
            break
        position = stop
        payload += length - 1
    return UnitSpan(position, payload)
