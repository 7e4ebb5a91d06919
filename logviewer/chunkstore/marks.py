"""What a log's marks tell of it: where nothing came for long."""

from heapq import heappush, heappushpop
from typing import NamedTuple

from logviewer.chunkstore.checkpoint import MAX_SILENCES, Silence
from logviewer.chunkstore.checkpoints import Checkpoints
from logviewer.chunkstore.reader import LogReader

MAX_GAPS = 100
US_PER_SECOND = 1_000_000

Rank = tuple[int, int]
"""A silence as (µs, minus its line): the greater the longer, the earlier of two alike."""


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
    numbers: dict[Rank, int] = {}
    total = 0
    last = checkpoints.last()
    for number in range(1, last + 1):
        checkpoint = checkpoints.get(number)
        total += checkpoint.silences
        for silence in checkpoint.longest:
            longest.add(_rank(silence))
        if checkpoint.silences > len(checkpoint.longest):
            shortest = _rank(checkpoint.longest[-1])
            numbers[shortest] = number
            numbers.pop(crowded.add(shortest) or (-1, 0), None)
    rest = checkpoints.stretch(last).silences()
    total += len(rest)
    for silence in rest:
        longest.add(_rank(silence))
    for shortest in sorted(crowded.ranks, reverse=True):
        if shortest not in longest.ranks:
            break
        for silence in checkpoints.stretch(numbers[shortest] - 1).silences():
            if _rank(silence) < shortest:
                longest.add(_rank(silence))
    return Gaps(total, sorted((-line, length_us / US_PER_SECOND) for length_us, line in longest.ranks))


class _Longest:
    """The `limit` highest ranks of those added."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.ranks: list[Rank] = []

    def add(self, rank: Rank) -> Rank | None:
        """Add a rank; return the one that is left out for it, perhaps itself."""
        if len(self.ranks) == self._limit:
            return heappushpop(self.ranks, rank)
        heappush(self.ranks, rank)
        return None


def _rank(silence: Silence) -> Rank:
    return silence.length_us, -silence.line
