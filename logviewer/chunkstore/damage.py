"""Finding a way around damage: which records fit together, and which of them are whole. Nothing here writes."""

import zlib

from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.record import RECORD_BYTES, Record, crc_of_fields, unpack_record
from logviewer.chunkstore.sources import Source


def fitting_records(index: Index, text: Source, count: int) -> int:
    """Return how many of `count` records fit together: behind `synced` a loss of power may have left anything.

    Where the last one follows the one before it, that is all of them, and nothing else is looked at.
    """
    last = count - 1
    if last < 0 or _fits(index.packed(last, count), _end_before(index, last)):
        return count
    number = max(0, min(index.synced(), count) - 1)
    end = _end_before(index, number)
    if number and is_whole(index, text, number, record := index.record(number)):
        end = record.offset  # what was on stable storage is not hidden by damage right before it
    for _first, slab in index.slabs(number, count):
        for place in range(0, len(slab), RECORD_BYTES):
            packed = slab[place : place + RECORD_BYTES]
            if not _fits(packed, end):
                return number
            end = unpack_record(packed).end
            number += 1
    return number


def whole_record_at(index: Index, text: Source, count: int, offset: int) -> tuple[int, Record]:
    """Find a whole record that holds `offset`, one by one: a damaged one led a binary search astray.

    Raises CorruptIndex where there is none, which says where reading can go on.
    """
    for number, record in enumerate(index.records(0, count)):
        if record.offset <= offset < record.end and is_whole(index, text, number, record):
            return number, record
    raise damage_at(index, text, count, offset)


def damage_at(index: Index, text: Source, count: int, offset: int) -> CorruptIndex:
    """Return the error for a place that no whole record covers, with where the next one begins."""
    resume = next(
        (
            record.offset
            for number, record in enumerate(index.records(0, count))
            if record.offset > offset and record.length and is_whole(index, text, number, record)
        ),
        None,
    )
    return CorruptIndex(index.path, f"no whole record covers byte {offset} of the text", resume)


def is_whole(index: Index, text: Source, number: int, record: Record) -> bool:
    """Say whether a record's CRC is right."""
    size = text.size()
    extent = text.read(min(record.offset, size), min(record.length, size))
    return zlib.crc32(extent, crc_of_fields(index.packed(number, number + 1))) == record.crc32


def _end_before(index: Index, number: int) -> int:
    """Return where the record before this one ends."""
    return index.record(number - 1).end if number else 0


def _fits(packed: bytes, end: int) -> bool:
    """Say whether a record begins at `end`; one without bytes, which zeros would pass for, must also have its CRC."""
    record = unpack_record(packed)
    return record.offset == end and (record.length > 0 or record.crc32 == crc_of_fields(packed))
