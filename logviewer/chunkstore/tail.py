"""The bytes of a tail file: the end of a log's output, kept beside it once the head has ended.

A header of 32 bytes: magic, u64 how many bytes of output are kept, u64 the payload offset of the first byte that ever
went to the tail, u8 whether that byte began a line, 3 zeros, u32 CRC of the 28 bytes before. Then frames, one for
each body: u32 bytes of its table, u32 bytes of its output, u64 payload offset of the first, u64 its time in µs, u32
CRC of these 24 bytes, the table and the output. Then the table, then the output. All little-endian.

The table has, for each extent, a byte: bit 0 the channel (stdout or stderr: headers go to the text), bit 1 that the
time differs from the extent's before, bit 2 that payload bytes that are not here lie between the two, bits 3 to 7 the
length, 0 if it is above 31. Then, as far as said, LEB128 numbers: the length, the difference in time (zigzag), the
bytes between. So an extent takes 1 to 5 bytes mostly, where an index record takes 48.

A frame takes back what earlier ones hold from its payload offset on; one without output does nothing else. That is
how bytes that an index cut by a crash does not acknowledge go away without anything being written over.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from logviewer.chunkstore.extents import MAX_EXTENT_BYTES, MAX_EXTENT_US

MAGIC = b"BLOGTAI1"
HEADER = struct.Struct("<8sQQB3xI")
FRAME = struct.Struct("<IIQQI")
NO_END = 2**64
"""Beyond every payload offset."""

_CRC = struct.Struct("<I")

_OTHER_TIME = 2
_GAP = 4
_LENGTH_SHIFT = 3
_MAX_SHORT_LENGTH = 31


class TailHeader(NamedTuple):
    """How much of the end is kept, and where the tail began: at which payload byte, and whether at a line's start."""

    max_bytes: int
    begins: int
    at_line_start: bool

    def packed(self) -> bytes:
        """Return the 32 bytes of a tail file's header."""
        packed = HEADER.pack(MAGIC, *self, 0)[: -_CRC.size]
        return packed + _CRC.pack(zlib.crc32(packed))


class TailExtent(NamedTuple):
    """Bytes of one channel, from payload offset `position` on."""

    position: int
    channel: int
    time_us: int
    data: bytes

    @property
    def end(self) -> int:
        """The payload offset after the last byte."""
        return self.position + len(self.data)

    def without_first(self, count: int) -> "TailExtent":
        """Return the extent without its first `count` bytes."""
        return self._replace(position=self.position + count, data=self.data[count:])


class Tail(NamedTuple):
    """What a tail file's frames hold: `size` bytes of the file were whole, and `damage` says what was not."""

    extents: list[TailExtent]
    size: int
    damage: str


def unpack_header(data: bytes) -> TailHeader | None:
    """Return the header that a tail file begins with, None where that is none."""
    if len(data) < HEADER.size:
        return None
    magic, max_bytes, begins, at_line_start, crc = HEADER.unpack_from(data)
    if magic != MAGIC or crc != zlib.crc32(data[: HEADER.size - _CRC.size]):
        return None
    return TailHeader(max_bytes, begins, bool(at_line_start))


def pack_frame(extents: Sequence[TailExtent], position: int = 0) -> bytes:
    """Return the frame of these extents; with none, the one that takes back all from `position` on."""
    time_us = 0
    if extents:
        position, time_us = extents[0].position, extents[0].time_us
    table = b"".join(_pack_all(extents))
    data = b"".join([extent.data for extent in extents])
    head = FRAME.pack(len(table), len(data), position, time_us, 0)[: -_CRC.size]
    return head + _CRC.pack(zlib.crc32(data, zlib.crc32(table, zlib.crc32(head)))) + table + data


def read_tail(data: bytes, received: int = NO_END) -> Tail:
    """Return what can be read of a tail file that begins with a header; frames that are damaged are left out.

    `size` then ends before the first frame whose bytes all lie from payload offset `received` on.
    """
    extents: list[TailExtent] = []
    place = size = HEADER.size
    damage = ""
    while place < len(data):
        frame = _unpack_frame(data, place)
        if frame is None:
            damage = damage or f"the frame at byte {place} is not whole"
            place = _next_place(data, place)
            continue
        position, added, place = frame
        if added and position >= received:
            break
        while extents and extents[-1].end > position:
            last = extents.pop()
            if last.position < position:
                extents.append(last._replace(data=last.data[: position - last.position]))
        extents += added
        size = place
    return Tail(extents, size, damage)


def merged(extents: Iterable[TailExtent]) -> list[TailExtent]:
    """Join neighbours of one channel, as within one body (storage.md, "Extents")."""
    found: list[TailExtent] = []
    pieces: list[bytes] = []
    size = 0
    for extent in extents:
        if found:
            first = found[-1]
            if (
                extent.channel == first.channel
                and extent.position == first.position + size
                and size + len(extent.data) <= MAX_EXTENT_BYTES
                and 0 <= extent.time_us - first.time_us <= MAX_EXTENT_US
            ):
                pieces.append(extent.data)
                size += len(extent.data)
                continue
            found[-1] = first._replace(data=b"".join(pieces))
        found.append(extent)
        pieces, size = [extent.data], len(extent.data)
    if found:
        found[-1] = found[-1]._replace(data=b"".join(pieces))
    return found


def last_bytes(extents: Sequence[TailExtent], count: int, max_frame_bytes: int | None = None) -> list[TailExtent]:
    """Return the last `count` bytes, fewer where their frame would become larger than `max_frame_bytes`."""
    kept: list[TailExtent] = []
    room = max_frame_bytes - FRAME.size if max_frame_bytes is not None else None
    before = None
    for number in range(len(extents) - 1, -1, -1):
        extent = extents[number]
        before = extents[number - 1] if number else None
        if len(extent.data) > count:
            extent = extent.without_first(len(extent.data) - count)
        if room is not None:
            room -= len(_pack_extent(extent, before))
            if room < len(extent.data):
                extent = extent.without_first(len(extent.data) - max(0, room))
            room -= len(extent.data)
        if not extent.data:
            break
        kept.append(extent)
        count -= len(extent.data)
        if not count or (room is not None and room <= 0):
            break
    kept.reverse()
    return kept


def from_line_start(extents: Sequence[TailExtent]) -> list[TailExtent]:
    """Return what follows the first LF, all where there is none or nothing follows it."""
    for number, extent in enumerate(extents):
        newline = extent.data.find(b"\n")
        if newline < 0:
            continue
        rest = extent.without_first(newline + 1)
        following = [*([rest] if rest.data else []), *extents[number + 1 :]]
        return following or list(extents)
    return list(extents)


def _pack_all(extents: Sequence[TailExtent]) -> Iterator[bytes]:
    """Yield each extent's part of the table."""
    before: TailExtent | None = None
    for extent in extents:
        yield _pack_extent(extent, before or extent._replace(data=b""))
        before = extent


def _pack_extent(extent: TailExtent, before: TailExtent | None) -> bytes:
    """Return one extent's part of the table, given the one before it."""
    before = before or extent._replace(data=b"")
    length, elapsed, gap = len(extent.data), extent.time_us - before.time_us, extent.position - before.end
    is_short = length <= _MAX_SHORT_LENGTH
    head = extent.channel | (_OTHER_TIME if elapsed else 0) | (_GAP if gap else 0)
    packed = bytes([head | (length << _LENGTH_SHIFT if is_short else 0)])
    if not is_short:
        packed += _pack_number(length)
    if elapsed:
        packed += _pack_number(elapsed * 2 if elapsed > 0 else -elapsed * 2 - 1)
    if gap:
        packed += _pack_number(gap)
    return packed


def _unpack_frame(data: bytes, place: int) -> tuple[int, list[TailExtent], int] | None:
    """Return (payload offset, extents, where the next frame begins) of the frame at `place`, None if it is damaged."""
    if place + FRAME.size > len(data):
        return None
    table_size, data_size, position, time_us, crc = FRAME.unpack_from(data, place)
    start = place + FRAME.size
    table_end = start + table_size
    stop = table_end + data_size
    head = data[place : start - _CRC.size]
    if stop > len(data) or crc != zlib.crc32(memoryview(data)[start:stop], zlib.crc32(head)):
        return None
    extents: list[TailExtent] = []
    at, end, output = start, position, table_end
    while at < table_end:
        head_byte = data[at]
        at += 1
        length = head_byte >> _LENGTH_SHIFT
        if not length:
            length, at = _unpack_number(data, at)
        if head_byte & _OTHER_TIME:
            zigzag, at = _unpack_number(data, at)
            time_us += -(zigzag + 1 >> 1) if zigzag & 1 else zigzag >> 1
        if head_byte & _GAP:
            gap, at = _unpack_number(data, at)
            end += gap
        extents.append(TailExtent(end, head_byte & 1, time_us, data[output : output + length]))
        output += length
        end += length
    return position, extents, stop


def _next_place(data: bytes, place: int) -> int:
    """Return where the frame after a damaged one begins if its lengths are right; the file's end if they cannot be."""
    if place + FRAME.size > len(data):
        return len(data)
    table_size, data_size = FRAME.unpack_from(data, place)[:2]
    following = place + FRAME.size + int(table_size) + int(data_size)
    return following if table_size and following < len(data) else len(data)


def _pack_number(number: int) -> bytes:
    """Return a number in LEB128: seven bits a byte, the lowest first."""
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _unpack_number(data: bytes, at: int) -> tuple[int, int]:
    """Return a LEB128 number and where it ends; the frame's CRC was right, so it does end."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return number, at
