"""Finds any of many byte strings in output at the speed at which output comes.

A regular expression of 60 alternatives reads 20 MB/s, `bytes.find` 5000 MB/s for each literal: the best there is for
one secret or two, 120 MB/s for 40 literals. For many, two bytes are read at a time: decoded as UTF-16 (a copy of
memory), output is a string of pairs, and one character class of rare pairs, at least one at an even and one at an odd
place of each literal, is looked for at 400 to 600 MB/s (measured with 10 secrets, 40 literals). Each hit is compared
with the literals that have the pair there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MIN_LITERAL_BYTES = 3
"""One pair at an even and one at an odd place."""

MAX_FOUND_SINGLY = 12
"""So many are looked for one after the other: as fast as all of them in pairs."""

COMMON_FIRST = b" e0t1a2oni3s5r4l6.8c7/9d-pum_ghfbyv:=wk\n'\",x()IETSLACRNODjPBMFU+>*[]GDzqWHV<;{}KYXJQZ"
"""Bytes of build logs, most frequent first; what is not named is rarer than all of these."""

MAX_ANCHOR_BYTES = 64
"""How far into a literal rare pairs are looked for; to look through all of a long one takes too long."""

WINDOW_BYTES = 64 * 1024
"""Looked through at a time, an even number: more would not stay in the processor's cache, nor in memory used before."""

RANKS = {byte: rank for rank, byte in enumerate(COMMON_FIRST)}


class Span(NamedTuple):
    """Where something lies in a buffer."""

    start: int
    end: int


class Literals:
    """A set of byte strings, at least one, each of at least `MIN_LITERAL_BYTES`, made ready to be looked for."""

    def __init__(self, literals: Collection[bytes]) -> None:
        self._literals = sorted(literals)
        self._anchored: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self._beginning_with: dict[bytes, list[bytes]] = defaultdict(list)
        for literal in self._literals:
            for place in _rarest_pairs(literal):
                self._anchored[chr(literal[place] | literal[place + 1] << 8)].append((place, literal))
            self._beginning_with[literal[:2]].append(literal)
        self._first_bytes = {literal[:1] for literal in self._literals}
        self._inner_bytes = frozenset().union(*(literal[:-1] for literal in self._literals))
        self._longest = max(map(len, self._literals))
        self._pairs = re.compile(f"[{re.escape(''.join(self._anchored))}]")

    def spans(self, data: bytes) -> list[Span]:
        """Where any of the literals lies in `data`, overlapping ones joined, from left to right."""
        joined: list[Span] = []
        for start, end in sorted(self._occurrences(data)):
            if joined and start < joined[-1].end:
                joined[-1] = Span(joined[-1].start, max(end, joined[-1].end))
            else:
                joined.append(Span(start, end))
        return joined

    def unfinished(self, data: bytes) -> int:
        """Where the longest end of `data` begins that may be the beginning of a literal; its length if none does."""
        end = len(data)
        if not end or data[-1] not in self._inner_bytes:  # as after a whole line
            return end
        for start in range(max(0, end - self._longest + 1), end - 1):
            for literal in self._beginning_with.get(data[start : start + 2], ()):
                if end - start < len(literal) and literal.startswith(data[start:]):
                    return start
        return end - (data[-1:] in self._first_bytes)

    def _occurrences(self, data: bytes) -> Iterator[tuple[int, int]]:
        if len(self._literals) <= MAX_FOUND_SINGLY:
            yield from self._occurrences_one_by_one(data)
            return
        for first in range(0, len(data), WINDOW_BYTES):
            pairs = _as_pairs(memoryview(data)[first : first + WINDOW_BYTES])
            if pairs is None:
                yield from self._occurrences_one_by_one(data)
                return
            for hit in self._pairs.finditer(pairs):
                for place, literal in self._anchored[hit.group()]:
                    start = first + 2 * hit.start() - place
                    if start >= 0 and data.startswith(literal, start):
                        yield start, start + len(literal)

    def _occurrences_one_by_one(self, data: bytes) -> Iterator[tuple[int, int]]:
        for first in range(0, len(data), WINDOW_BYTES):
            for literal in self._literals:
                stop = first + WINDOW_BYTES + len(literal) - 1  # what begins in this window
                start = data.find(literal, first, stop)
                while start >= 0:
                    yield start, start + len(literal)
                    start = data.find(literal, start + 1, stop)


def _rarest_pairs(literal: bytes) -> Iterator[int]:
    """A place at an even and one at an odd distance from the beginning, where the rarest pairs of bytes are."""
    for parity in (0, 1):
        places = range(parity, min(len(literal) - 1, MAX_ANCHOR_BYTES), 2)
        yield min(places, key=lambda at: _frequency(literal[at], literal[at + 1]))


def _as_pairs(data: memoryview) -> Optional[str]:
    """Pairs of bytes as characters; None for what is no text, where four bytes may look like one character."""
    count = len(data) // 2
    pairs = str(data[: 2 * count], "utf-16-le", "surrogatepass")
    return pairs if len(pairs) == count else None


def _frequency(first: int, second: int) -> float:
    """How often a pair is to be expected, in no particular unit: letters follow their like, digits too."""
    kinds = {_kind(first), _kind(second)}
    alike = 1.0 if len(kinds) == 1 else 0.1 if kinds <= {"lower", "upper", "digit"} else 0.5
    return alike / (1 + RANKS.get(first, 200)) / (1 + RANKS.get(second, 200))


def _kind(byte: int) -> str:
    character = chr(byte)
    return (
        "digit" if character.isdigit() else "lower" if character.islower() else "upper" if character.isupper() else ""
    )
