"""A checkpoint: all that must be known of a log's beginning to read on from a place as if one had read it all.

`<key>.marks` keeps them, little-endian: a header of 64 bytes, then records of 261, in order of their `records`.

Header: magic `BLOGMRK1`; u32 version (1); u32 record size (261); u32 `identity`, the CRC of the index's first record;
u32 CRC of these 20 bytes; the rest 0. Record: u32 CRC, then what it is of, after the identity and the record's number
(u64): `records` u64, `record_crc` u32, `offset` u64, `newlines` u64, `omitted` i64, `lines` 7 of u64, `open_channels`
u8, `unfinished` 3 of (u8 length, 3 bytes), `sequence` u16, the pen's foreground i32, background i32 and attributes u8,
`time_us` i64, `silences` u32, u8 number of `longest`, 8 of (line u64, µs u64). The file can be made again from index
and text, byte for byte: whatever is torn, foreign or damaged is written anew from the last good record on.
"""

import struct
import zlib
from typing import NamedTuple

from logviewer.chunkstore.sgr import PLAIN, Pen

ALL_CHANNELS = frozenset({0, 1, 2})
ALL_CHANNELS_MASK = 7
SUBSETS = range(1, ALL_CHANNELS_MASK + 1)
"""The non-empty sets of channels as masks: bit N is channel N."""

MAX_SILENCES = 8
"""The longest silences that a checkpoint keeps; where more of one stretch are asked for, its records are read again."""


class Silence(NamedTuple):
    """Nothing came for `length_us`, then line number `line` was begun or gone on with."""

    line: int
    length_us: int


class Checkpoint(NamedTuple):
    """A log as it stands after its first `records` records.

    `record_crc` is the last of these records' CRC, so that a checkpoint of another log is known for one. `offset` and
    `newlines` are bytes and LFs so far, `omitted` as LogEnd has it. `lines` are the ended lines that have any byte (LF
    included) of each of SUBSETS, and `open_channels` the mask of the line that is open. `unfinished` are, for each
    channel, the bytes of a character that has only begun; `sequence` counts the bytes before `offset` that may begin
    an escape sequence, and `pen` is what was in force before them. `time_us` is the last extent's, -1 where there is
    none. `silences` counts those of at least SILENCE_SECONDS since the checkpoint before, `longest` are the longest
    of them, longest first.
    """

    records: int = 0
    record_crc: int = 0
    offset: int = 0
    newlines: int = 0
    omitted: int = 0
    lines: tuple[int, ...] = (0,) * len(SUBSETS)
    open_channels: int = 0
    unfinished: tuple[bytes, ...] = (b"",) * len(ALL_CHANNELS)
    sequence: int = 0
    pen: Pen = PLAIN
    time_us: int = -1
    silences: int = 0
    longest: tuple[Silence, ...] = ()

    def lines_of(self, mask: int) -> int:
        """Return how many ended lines have any byte of the channels in `mask`."""
        return self.lines[mask - 1]


START = Checkpoint()

MAGIC = b"BLOGMRK1"
VERSION = 1
HEADER_BYTES = 64
HEADER = struct.Struct("<8sIII")
CRC = struct.Struct("<I")
PLACE = struct.Struct("<IQ")
FIELDS = struct.Struct("<QIQQq7QB4p4p4pHiiBqIB16Q")
RECORD_BYTES = CRC.size + FIELDS.size


def pack_header(identity: int) -> bytes:
    """Return the 64 bytes that the marks of a log begin with, whose first record in the index has this CRC."""
    fields = HEADER.pack(MAGIC, VERSION, RECORD_BYTES, identity)
    return (fields + CRC.pack(zlib.crc32(fields))).ljust(HEADER_BYTES, b"\0")


def pack_checkpoint(checkpoint: Checkpoint, identity: int, number: int) -> bytes:
    """Return a checkpoint's bytes as record `number` (from 0)."""
    silences = [value for silence in checkpoint.longest for value in silence]
    fields = FIELDS.pack(
        *checkpoint[:5],
        *checkpoint.lines,
        checkpoint.open_channels,
        *checkpoint.unfinished,
        checkpoint.sequence,
        *checkpoint.pen,
        checkpoint.time_us,
        checkpoint.silences,
        len(checkpoint.longest),
        *silences,
        *[0] * (2 * MAX_SILENCES - len(silences)),
    )
    return CRC.pack(_crc(fields, identity, number)) + fields


def unpack_checkpoint(packed: bytes, identity: int, number: int) -> Checkpoint | None:
    """Return the checkpoint that record `number` holds; None if it is not one that was written there for this log."""
    if len(packed) != RECORD_BYTES:
        return None
    fields = packed[CRC.size :]
    if CRC.unpack_from(packed)[0] != _crc(fields, identity, number):
        return None
    values = FIELDS.unpack(fields)
    silences = values[23 : 23 + 2 * values[22]]
    longest = tuple(Silence(*pair) for pair in zip(silences[0::2], silences[1::2], strict=True))
    pen = Pen(*values[17:20])
    return Checkpoint._make(
        (*values[:5], values[5:12], values[12], values[13:16], values[16], pen, *values[20:22], longest)
    )


def _crc(fields: bytes, identity: int, number: int) -> int:
    return zlib.crc32(fields, zlib.crc32(PLACE.pack(identity, number)))


def mask_of(channels: frozenset[int]) -> int:
    """Return a set of channels as a mask; ValueError if it is empty or has another channel."""
    if not channels or not channels <= ALL_CHANNELS:
        raise ValueError(f"channels {sorted(channels)} are no selection of {sorted(ALL_CHANNELS)}")
    return sum(1 << channel for channel in channels)
