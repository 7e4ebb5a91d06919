"""The chunk stream: netstrings `LENGTH:CHANNEL BYTES,`, as in the log files of Buildbot 0.8.

LENGTH counts the channel character. An entry on channel `t` holds a decimal u64, the time in µs since the epoch for
what follows in the same body. Contract: storage.md, "The chunk stream".
"""

from enum import IntEnum
from typing import Final, NamedTuple

from logviewer.chunkstore.errors import MalformedChunks

MAX_LENGTH = 1_048_577
"""1 MiB of payload and its channel character."""

MAX_TIME_US = 2**64 - 1
_LENGTH_DIGITS = len(str(MAX_LENGTH))
_TIME_DIGITS = len(str(MAX_TIME_US))
_ZERO: Final = ord("0")
_COMMA: Final = ord(",")
_TIME: Final = ord("t")


class Channel(IntEnum):
    """Who spoke; Buildbot's numbers."""

    STDOUT = 0
    STDERR = 1
    HEADER = 2


class Entry(NamedTuple):
    """Bytes of one channel; `time_us` is the writer's time in µs since the epoch, None where it gave none."""

    channel: int
    data: bytes
    time_us: int | None = None


def parse_chunk_stream(body: bytes) -> list[Entry]:
    """Return the body's entries in order, empty ones included, `t` entries turned into their followers' time.

    Raises MalformedChunks, which names the byte at fault: then nothing of the body may be stored.
    """
    entries: list[Entry] = []
    lengths: dict[bytes, int] = {}  # int() and its checks cost more than everything else here; lengths repeat
    time_us: int | None = None
    find, append, make, size, position = body.find, entries.append, tuple.__new__, len(body), 0
    while position < size:
        colon = find(b":", position, position + _LENGTH_DIGITS + 1)
        if colon < 0:
            raise _no_length(body[position : position + _LENGTH_DIGITS + 1], position)
        digits = body[position:colon]
        length = lengths.get(digits)
        if length is None:
            length = lengths[digits] = _length(digits, position)
        end = colon + 1 + length
        if end >= size:
            raise MalformedChunks(position, f"the body ends inside this entry of LENGTH {length}")
        if body[end] != _COMMA:
            raise MalformedChunks(end, f"',' expected after an entry of LENGTH {length}")
        channel = body[colon + 1] - _ZERO
        if 0 <= channel <= 2:
            append(make(Entry, (channel, body[colon + 2 : end], time_us)))
        elif channel == _TIME - _ZERO:
            time_us = _time(body[colon + 2 : end], colon + 2)
        else:
            raise MalformedChunks(colon + 1, f"unknown channel {body[colon + 1 : colon + 2]!r}")
        position = end + 1
    return entries


def encode_entry(channel: int, data: bytes) -> bytes:
    """Return one entry of a chunk stream; `data` is at most 1 MiB."""
    if len(data) >= MAX_LENGTH:
        raise ValueError(f"an entry holds at most {MAX_LENGTH - 1} bytes, not {len(data)}")
    return b"%d:%d%b," % (len(data) + 1, Channel(channel), data)


def encode_time(time_us: int) -> bytes:
    """Return the entry that gives what follows it in the same body the time `time_us`, µs since the epoch."""
    if not 0 <= time_us <= MAX_TIME_US:
        raise ValueError(f"{time_us} is not a time in µs: it must fit a u64")
    digits = b"%d" % time_us
    return b"%d:t%b," % (len(digits) + 1, digits)


def _length(digits: bytes, position: int) -> int:
    """Return LENGTH as a number. `bytes.isdigit` is ASCII only, and int() alone would take `+1`, ` 1` and `1_0`."""
    if not digits.isdigit():
        raise _no_length(digits + b":", position)
    if digits.startswith(b"0"):
        raise MalformedChunks(position, f"LENGTH {digits!r} is zero or has a leading zero")
    length = int(digits)
    if length > MAX_LENGTH:
        raise MalformedChunks(position, f"LENGTH {length} is above {MAX_LENGTH}")
    return length


def _time(digits: bytes, position: int) -> int:
    """Return a `t` entry's value."""
    if not digits.isdigit() or len(digits) > _TIME_DIGITS or int(digits) > MAX_TIME_US:
        raise MalformedChunks(position, f"time {digits[:40]!r} is not a decimal u64")
    return int(digits)


def _no_length(field: bytes, position: int) -> MalformedChunks:
    """Tell a LENGTH that is no number from one that is too long and one that the body's end cuts off."""
    for place, byte in enumerate(field[: _LENGTH_DIGITS + 1]):
        if not _ZERO <= byte <= _ZERO + 9:
            return MalformedChunks(position + place, f"LENGTH expected, not {bytes([byte])!r}")
    if len(field) <= _LENGTH_DIGITS:
        return MalformedChunks(position, "the body ends inside LENGTH")
    return MalformedChunks(position, f"LENGTH is above {MAX_LENGTH}")
