"""What a log's marks tell of it: where nothing came for long."""

from heapq import heappush, heappushpop
from typing import NamedTuple

from logviewer.chunkstore.checkpoint import MAX_SILENCES, Silence
from logviewer.chunkstore.checkpoints import Checkpoints
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.stretch import longest_first

MAX_GAPS = 100
US_PER_SECOND = 1_000_000

Rank = tuple[int, ...]
"""A silence as (µs, minus its line): the greater the longer, the earlier of two alike; perhaps minus its checkpoint."""


class Gaps(NamedTuple):
    """The longest silences in the order of their lines, as (line that follows or goes on, seconds); `total` of all."""

    total: int
    gaps: list[tuple[int, float]]


def read_gaps(reader: LogReader, limit: int = MAX_GAPS) -> Gaps:
    """Return the `limit` (≥ 1) longest silences of a log, and how many of at least SILENCE_SECONDS there are.

    A silence lies between the times of neighbouring extents with bytes, of whatever channel. Costs reading the marks
    (261 bytes for each MiB), and `limit` / MAX_SILENCES stretches at most. Raises CorruptIndex.
    """
    if limit < 1:
        raise ValueError(f"{limit} is no number of gaps")
    checkpoints = Checkpoints(reader)
    longest = _Longest(limit)
    crowded = _Longest(limit // MAX_SILENCES + 1)  # by the shortest silence kept where there are more than are kept
    total = 0
    last = checkpoints.last()
    for number in range(1, last + 1):
        checkpoint = checkpoints.get(number)
        total += checkpoint.silences
        for silence in checkpoint.longest:
            longest.add(_rank(silence))
        if checkpoint.silences > len(checkpoint.longest):
            crowded.add((*_rank(checkpoint.longest[-1]), -number))
    rest = checkpoints.stretch(last).silences()
    total += len(rest)
    for silence in rest:
        longest.add(_rank(silence))
    for *shortest, number in sorted(crowded.ranks, reverse=True):
        if tuple(shortest) not in longest.ranks:
            break
        silences = checkpoints.stretch(-number - 1).silences()
        for silence in longest_first(silences, len(silences))[MAX_SILENCES:]:  # two may be alike: all but those kept
            longest.add(_rank(silence))
    return Gaps(total, sorted((-line, length_us / US_PER_SECOND) for length_us, line in longest.ranks))


class _Longest:
    """The `limit` highest ranks of those added."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.ranks: list[Rank] = []

    def add(self, rank: Rank) -> None:
        """Add a rank; where that is one too many, the lowest goes."""
        if len(self.ranks) == self._limit:
            heappushpop(self.ranks, rank)
        else:
            heappush(self.ranks, rank)


def _rank(silence: Silence) -> Rank:
    return silence.length_us, -silence.line
