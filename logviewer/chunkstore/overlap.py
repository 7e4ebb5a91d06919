"""Is what a writer sends again what is stored? Compared byte for byte and channel for channel."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from logviewer.chunkstore.errors import OverlapDiffers
from logviewer.chunkstore.index import RECEIVED, Index
from logviewer.chunkstore.sources import Source
from logviewer.chunkstore.state import State
from logviewer.chunkstore.tail import TailExtent
from logviewer.chunkstore.wire import Entry


def check_overlap(
    index: Index,
    text: Source,
    state: State,
    entries: Sequence[Entry],
    offset: int,
    known: int,
    tail: Iterable[TailExtent] = (),
) -> None:
    """Compare the entries' first `known` bytes, sent from payload offset `offset` on, with what is stored there.

    `tail` is what an open log keeps beside its text. Raises OverlapDiffers at the first byte that is another, or of
    another channel. Bytes that were dropped cannot be compared and pass.
    """
    sent = _Sent(entries, offset, offset + known, state.received)
    number = index.last_at_most(RECEIVED, offset, state.records) + 1
    for record in index.records(number, state.records):
        if record.received - record.received_length >= sent.stop:
            break
        if record.received_length:
            first = record.received - record.length
            begin, end = sent.shared_with(first, record.received)
            if begin < end:
                sent.compare(begin, text.read(record.offset + begin - first, end - begin), record.channel)
    for extent in tail:
        begin, end = sent.shared_with(extent.position, extent.end)
        if begin < end:
            sent.compare(begin, extent.data[begin - extent.position : end - extent.position], extent.channel)


class _Sent:
    """What came again: the bytes of payload offsets `offset` to `stop`, and whose they are."""

    def __init__(self, entries: Sequence[Entry], offset: int, stop: int, received: int) -> None:
        self.offset = offset
        self.stop = stop
        self._received = received
        self._data = b"".join([entry.data for entry in entries])
        self._starts: list[int] = []  # of each run of one channel; neighbours of one channel are joined
        self._channels: list[int] = []
        end = 0
        for entry in entries:
            if entry.data and (not self._channels or self._channels[-1] != entry.channel):
                self._starts.append(end)
                self._channels.append(entry.channel)
            end += len(entry.data)

    def shared_with(self, first: int, end: int) -> tuple[int, int]:
        """Return the part of payload offsets [first, end) that came again, as (start, end); none if start ≥ end."""
        return max(first, self.offset), min(end, self.stop)

    def compare(self, begin: int, stored: bytes, channel: int) -> None:
        """Raise OverlapDiffers unless the stored bytes from payload offset `begin` on are those that came."""
        start = begin - self.offset
        end = start + len(stored)
        again = self._data[start:end]
        if stored != again:
            raise OverlapDiffers(begin + _first_difference(stored, again), self._received)
        run = bisect_right(self._starts, start) - 1
        while run < len(self._starts) and self._starts[run] < end:
            if self._channels[run] != channel:
                raise OverlapDiffers(max(begin, self.offset + self._starts[run]), self._received)
            run += 1


def _first_difference(one: bytes, other: bytes) -> int:
    """Return the place of the first byte that differs, or where the shorter ends."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
