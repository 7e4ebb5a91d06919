"""Reading an index: records by number, in slabs, and by binary search. Nothing here writes."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.record import (
    CHANNEL_OFFSET,
    FLAGS_OFFSET,
    HEADER_BYTES,
    LENGTH,
    LENGTH_OFFSET,
    RECORD,
    RECORD_BYTES,
    Flags,
    Record,
    read_synced,
    unpack_record,
)
from logviewer.chunkstore.sources import Source
from logviewer.chunkstore.wire import Channel

SLAB_RECORDS = 1024
"""48 KiB a read: large enough that the call costs nothing beside the unpacking, small enough for many readers."""

OFFSET, LINE, RECEIVED = 0, 1, 2
"""The fields that never decrease from record to record, by their place in a record: what can be searched by."""


class Totals(NamedTuple):
    """What a range of records comes to: see State's fields of the same names."""

    omitted: int = 0
    headers: int = 0
    notices: int = 0
    headers_ended: bool = False


class Index:
    """An open index; the records it is asked for must lie within `count()`."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self.source = source

    def count(self) -> int:
        """Return how many whole records the file holds now."""
        return max(0, self.source.size() - HEADER_BYTES) // RECORD_BYTES

    def synced(self) -> int:
        """Return how many records are known to be on stable storage; CorruptIndex if the header is none."""
        return read_synced(self.path, self.source.read(0, HEADER_BYTES))

    def packed(self, first: int, stop: int) -> bytes:
        """Return the bytes of records [first, stop); fewer where the file has become shorter."""
        data = self.source.read(HEADER_BYTES + first * RECORD_BYTES, (stop - first) * RECORD_BYTES)
        return data[: len(data) - len(data) % RECORD_BYTES]

    def record(self, number: int) -> Record:
        """Return one record, its fields unchecked."""
        packed = self.packed(number, number + 1)
        if not packed:
            raise CorruptIndex(self.path, f"record {number} is gone: the index was cut while it was read")
        return unpack_record(packed)

    def slabs(self, first: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Yield (number of the first record, bytes) over records [first, stop)."""
        while first < stop:
            slab = self.packed(first, min(stop, first + SLAB_RECORDS))
            if not slab:
                return
            yield first, slab
            first += len(slab) // RECORD_BYTES

    def records(self, first: int, stop: int) -> Iterator[Record]:
        """Yield records [first, stop)."""
        for _number, slab in self.slabs(first, stop):
            yield from map(Record._make, RECORD.iter_unpack(slab))

    def last_at_most(self, field: int, value: int, count: int) -> int:
        """Return the number of the last of `count` records whose `field` is at most `value`, -1 if there is none."""
        low, high = -1, count
        while high - low > 1:
            middle = (low + high) // 2
            if self.record(middle)[field] <= value:
                low = middle
            else:
                high = middle
        return low

    def flagged(self, first: int, stop: int, flag: Flags) -> Iterator[tuple[Record | None, Record]]:
        """Yield (the record before, the record) for those of [first, stop) that carry `flag`.

        Slabs without any flag, which is nearly all of them, cost one strided slice.
        """
        for number, slab in self.slabs(first, stop):
            flags = slab[FLAGS_OFFSET::RECORD_BYTES]
            if not flags.strip(b"\0"):
                continue
            for place, value in enumerate(flags):
                if value & flag:
                    before = self.record(number + place - 1) if number + place else None
                    yield before, self.record(number + place)

    def omitted(self, first: int, stop: int) -> int:
        """Return how many of the writer's bytes records [first, stop) say were dropped."""
        return self.totals(first, stop).omitted

    def totals(self, first: int, stop: int) -> Totals:
        """Add up records [first, stop). Slabs without flags and headers cost two strided slices."""
        omitted = headers = notices = 0
        headers_ended = False
        for number, slab in self.slabs(first, stop):
            channels, flags = slab[CHANNEL_OFFSET::RECORD_BYTES], slab[FLAGS_OFFSET::RECORD_BYTES]
            place = channels.find(Channel.HEADER)
            while place >= 0:
                if not flags[place]:
                    headers += _length_at(slab, place)
                place = channels.find(Channel.HEADER, place + 1)
            if not flags.strip(b"\0"):
                continue
            for place, value in enumerate(flags):
                if not value:  # nearly all of them, and arithmetic with Flags is slow
                    continue
                if value & Flags.DROPPED:
                    counted = self._counted(number + place)
                    omitted += counted - (0 if value & Flags.NOTICE else _length_at(slab, place))
                    headers_ended |= bool(value & Flags.NOTICE) and not counted
                elif value & Flags.NOTICE:
                    notices += 1
        return Totals(omitted, headers, notices, headers_ended)

    def _counted(self, number: int) -> int:
        """Return by how many bytes a record moves `received` on."""
        before = self.record(number - 1).received if number else 0
        return self.record(number).received - before


def _length_at(slab: bytes, place: int) -> int:
    """Return the length of a slab's record."""
    return int(LENGTH.unpack_from(slab, place * RECORD_BYTES + LENGTH_OFFSET)[0])
