"""From the entries of one body to the extents that are stored."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from logviewer.chunkstore.errors import InvalidAppend
from logviewer.chunkstore.wire import MAX_TIME_US, Entry

MAX_EXTENT_BYTES = 64 * 1024
"""Bounds what a reader scans to find a line, and what one damaged record can take with it."""

MAX_EXTENT_US = 50_000
"""Writer time that one extent may span: what a viewer may lose in precision (storage.md, "Extents")."""

_CHANNELS = (0, 1, 2)


class Extent(NamedTuple):
    """A range of a body's payload that becomes one record."""

    start: int
    end: int
    channel: int
    time_us: int


def merge_entries(entries: Iterable[Entry], arrived_us: int) -> list[Extent]:
    """Return the extents of the entries' joined bytes, neighbours of one channel merged.

    An entry keeps its writer's time, in whatever order, and takes `arrived_us` where it has none that fits a u64.
    Entries are cut only where one alone exceeds MAX_EXTENT_BYTES. Empty ones leave nothing.
    """
    extents: list[Extent] = []
    start = end = began_us = limit_us = 0
    channel, time_us = -1, arrived_us
    given_us: int | None = None
    for entry_channel, data, entry_us in entries:
        size = len(data)
        if not size:
            continue
        if entry_us is not given_us:  # entries behind one `t` share the object: the check is made once for all
            given_us = entry_us
            time_us = entry_us if entry_us is not None and 0 <= entry_us <= MAX_TIME_US else arrived_us
        if entry_channel != channel or end + size - start > MAX_EXTENT_BYTES or not began_us <= time_us <= limit_us:
            if end > start:
                extents.append(Extent(start, end, channel, began_us))
            if entry_channel not in _CHANNELS:
                raise InvalidAppend(f"channel {entry_channel} is none of {_CHANNELS}")
            channel, start, began_us, limit_us = entry_channel, end, time_us, time_us + MAX_EXTENT_US
            while size > MAX_EXTENT_BYTES:
                end += MAX_EXTENT_BYTES
                size -= MAX_EXTENT_BYTES
                extents.append(Extent(start, end, channel, began_us))
                start = end
        end += size
    if end > start:
        extents.append(Extent(start, end, channel, began_us))
    return extents


def without_first(entries: Sequence[Entry], count: int) -> list[Entry]:
    """Return the entries without their first `count` bytes."""
    for number, entry in enumerate(entries):
        if count < len(entry.data):
            return [entry._replace(data=entry.data[count:]), *entries[number + 1 :]]
        count -= len(entry.data)
    return []
