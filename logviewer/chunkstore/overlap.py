"""Is what a writer sends again what is stored? Compared byte for byte and channel for channel."""

import os
from collections.abc import Sequence
from itertools import islice

from logviewer.chunkstore.errors import OverlapDiffers
from logviewer.chunkstore.index import RECEIVED, Index
from logviewer.chunkstore.record import Flags
from logviewer.chunkstore.state import State
from logviewer.chunkstore.wire import Entry


def check_overlap(index: Index, text_fd: int, state: State, entries: Sequence[Entry], offset: int, known: int) -> None:
    """Compare the entries' first `known` bytes, sent from payload offset `offset` on, with what is stored there.

    Raises OverlapDiffers at the first byte that is another, or of another channel. Bytes that were dropped
    cannot be compared and pass.
    """
    sent = b"".join([entry.data for entry in entries])
    channels = _channel_ranges(entries)
    place = 0
    stop = offset + known
    number = index.last_at_most(RECEIVED, offset, state.records) + 1
    for record in index.records(number, state.records):
        first = record.received - record.length
        if first >= stop:
            return
        if record.flags & Flags.NOTICE or not record.length:
            continue
        begin, end = max(first, offset), min(record.received, stop)
        if begin >= end:
            continue
        stored = os.pread(text_fd, end - begin, record.offset + begin - first)
        again = sent[begin - offset : end - offset]
        if stored != again:
            raise OverlapDiffers(begin + _first_difference(stored, again), state.received)
        while channels[place][1] <= begin - offset:
            place += 1
        for range_start, _range_end, channel in islice(channels, place, None):
            if range_start >= end - offset:
                break
            if channel != record.channel:
                raise OverlapDiffers(max(begin, offset + range_start), state.received)


def _channel_ranges(entries: Sequence[Entry]) -> list[tuple[int, int, int]]:
    """Return [(start, end, channel), …] of the entries' joined bytes, neighbours of one channel joined."""
    ranges: list[tuple[int, int, int]] = []
    end = 0
    for entry in entries:
        start, end = end, end + len(entry.data)
        if start == end:
            continue
        if ranges and ranges[-1][2] == entry.channel:
            start = ranges.pop()[0]
        ranges.append((start, end, entry.channel))
    return ranges


def _first_difference(one: bytes, other: bytes) -> int:
    """Return the place of the first byte that differs, or where the shorter ends."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
