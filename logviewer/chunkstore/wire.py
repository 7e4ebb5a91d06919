"""The chunk stream: netstrings `LENGTH:CHANNEL BYTES,`, as in the log files of Buildbot 0.8.

LENGTH counts the channel character. An entry on channel `t` holds a decimal u64, the time in µs since the epoch for
what follows in the same body. Contract: storage.md, "The chunk stream".
"""

from collections.abc import Iterable, Iterator
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
    _parse(body, entries, None, whole=True)
    return entries


class ChunkParser:
    """A chunk stream that comes piece by piece, cut anywhere; what is kept between pieces is less than one entry.

    Positions in errors count from the stream's beginning.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._position = 0  # of `_rest` in the stream
        self._time_us: int | None = None

    def feed(self, piece: bytes) -> list[Entry]:
        """Return the entries that end in this piece. Raises MalformedChunks; the parser is of no use afterwards."""
        return self._advance(self._rest + piece, whole=False)

    def close(self) -> None:
        """Say that the stream ends here. Raises MalformedChunks where that is inside an entry."""
        self._advance(self._rest, whole=True)

    def _advance(self, data: bytes, whole: bool) -> list[Entry]:
        entries: list[Entry] = []
        try:
            consumed, self._time_us = _parse(data, entries, self._time_us, whole)
        except MalformedChunks as error:
            raise MalformedChunks(self._position + error.position, error.reason) from None
        self._rest = data[consumed:]
        self._position += consumed
        return entries


def _parse(body: bytes, entries: list[Entry], time_us: int | None, whole: bool) -> tuple[int, int | None]:
    """Add the body's entries to `entries`; return where the last whole one ends, and the time for what follows.

    What is left behind that place is an error where the body is `whole`, else the beginning of more to come.
    """
    lengths: dict[bytes, int] = {}  # int() and its checks cost more than everything else here; lengths repeat
    find, append, make, size, position = body.find, entries.append, tuple.__new__, len(body), 0
    while position < size:
        colon = find(b":", position, position + _LENGTH_DIGITS + 1)
        if colon < 0:
            field = body[position : position + _LENGTH_DIGITS + 1]
            if not whole and len(field) <= _LENGTH_DIGITS and field.isdigit():
                break
            raise _no_length(field, position)
        digits = body[position:colon]
        length = lengths.get(digits)
        if length is None:
            length = lengths[digits] = _length(digits, position)
        end = colon + 1 + length
        if end >= size:
            if not whole:
                break
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
    return position, time_us


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


def encode_runs(
    runs: Iterable[tuple[int, int, int]], data: bytes, time_us: int | None = None
) -> Iterator[tuple[bytes, int]]:
    """Yield (entry, its bytes of `data`) for each of a Frame's `runs`; `t` entries come with what follows them.

    A `t` entry stands wherever the time is not `time_us` any more: what the last one of the same body said, -1 in its
    beginning, None where no times are wanted.
    """
    position = 0
    for channel, length, run_us in runs:
        entry = encode_entry(channel, data[position : position + length])
        if time_us is not None and run_us != time_us:
            entry = encode_time(run_us) + entry
            time_us = run_us
        yield entry, length
        position += length


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
