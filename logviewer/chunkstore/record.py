"""The index's bytes: a header of 64, then records of 48, little-endian. Contract: storage.md, "Storage"."""

import struct
import zlib
from enum import IntFlag
from pathlib import Path
from typing import NamedTuple

from logviewer.chunkstore.errors import CorruptIndex

MAGIC = b"BLOGIDX1"
VERSION = 1
HEADER_BYTES = 64
RECORD_BYTES = 48
SYNCED_OFFSET = 16
"""Where in the header `synced` lies, a u64 by itself so that moving it is one small write."""

HEADER = struct.Struct("<8sIIQ40s")
SYNCED = struct.Struct("<Q")
RECORD = struct.Struct("<QQQQIIBB6x")
_BEFORE_CRC = struct.Struct("<QQQQI")
_CRC = struct.Struct("<I")
_PACK_BEFORE_CRC, _PACK_CRC, _CRC32 = _BEFORE_CRC.pack, _CRC.pack, zlib.crc32  # bound once: called for every extent
_AFTER_CRC_OFFSET = _BEFORE_CRC.size + _CRC.size
LENGTH = struct.Struct("<I")
LENGTH_OFFSET = 32
CHANNEL_OFFSET = 40
FLAGS_OFFSET = 41
RESERVED_OFFSET = 42
RESERVED = bytes(6)


class Flags(IntFlag):
    """A record's flag bits; all others are 0.

    None: the writer's bytes, as received. NOTICE: the server's words, of which the first without another flag says
    that the output's head has ended and the second that its final bytes follow. NOTICE and DROPPED: words on the
    bytes that this record adds to `received`; where it adds none, the words that headers have ended. DROPPED: bytes
    received and not stored here (`received` moves on), or stored at last though they were dropped before (the log's
    tail: bytes, and `received` stays). So over the records with DROPPED, what `received` moves on less the bytes
    stored, notices not counted, is what the log lacks.
    """

    DROPPED = 1
    END = 2
    NOTICE = 4


ALL_FLAGS = int(Flags.DROPPED | Flags.END | Flags.NOTICE)
_AFTER_CRC = {(channel, flags): bytes([channel, flags]) + RESERVED for channel in range(3) for flags in range(8)}


class Record(NamedTuple):
    """One extent of the text: see the table in storage.md."""

    offset: int
    line: int
    received: int
    time_us: int
    length: int
    crc32: int
    channel: int
    flags: int

    @property
    def end(self) -> int:
        """The offset of the byte after the extent."""
        return self.offset + self.length

    @property
    def received_length(self) -> int:
        """How many of the extent's bytes `received` counts in this very record: none of a notice or a tail."""
        return 0 if self.flags & (Flags.NOTICE | Flags.DROPPED) else self.length


def pack_record(
    offset: int, line: int, received: int, time_us: int, channel: int, flags: int, extent: bytes | memoryview
) -> bytes:
    """Return the 48 bytes of the record for `extent`, its CRC taken over the other 44 and then the extent."""
    before = _PACK_BEFORE_CRC(offset, line, received, time_us, len(extent))
    after = _AFTER_CRC[channel, flags]
    return before + _PACK_CRC(_CRC32(extent, _CRC32(before + after))) + after


def crc_of_fields(packed: bytes) -> int:
    """Return the CRC of a record's 44 bytes beside its CRC, to be carried on over the extent."""
    return zlib.crc32(packed[_AFTER_CRC_OFFSET:], zlib.crc32(packed[: _BEFORE_CRC.size]))


def unpack_record(packed: bytes) -> Record:
    """Return the fields of 48 bytes, unchecked."""
    return Record._make(RECORD.unpack(packed))


def pack_header(synced: int = 0) -> bytes:
    """Return the 64 bytes an index begins with."""
    return HEADER.pack(MAGIC, VERSION, RECORD_BYTES, synced, b"")


def read_synced(path: Path, header: bytes) -> int:
    """Check an index's first 64 bytes and return `synced`; CorruptIndex if they are no header of this version."""
    if len(header) < HEADER_BYTES:
        raise CorruptIndex(path, f"the index has {len(header)} bytes, its header alone has {HEADER_BYTES}")
    magic, version, record_bytes, synced, _rest = HEADER.unpack(header)
    if magic != MAGIC:
        raise CorruptIndex(path, f"the index begins with {magic!r}, not with {MAGIC!r}")
    if version != VERSION:
        raise CorruptIndex(path, f"the index has version {version}, this program reads version {VERSION}")
    if record_bytes != RECORD_BYTES:
        raise CorruptIndex(path, f"the index has records of {record_bytes} bytes, not of {RECORD_BYTES}")
    return int(synced)
