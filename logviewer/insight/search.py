"""Searching one log: which lines have a match, and a page of them.

The log is read once, in blocks; where a block has no match nothing is done for its lines. Memory does not depend on
the log's size. Limits: a total beyond MAX_TOTAL is not counted; after SEARCH_SECONDS what was found so far is given,
and where to go on; in a line longer than 256 KiB matches of up to 64 KiB are found for certain.
"""

import json
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from logviewer.chunkstore import LogReader
from logviewer.insight.blocks import Block, blocks
from logviewer.insight.chunks import TextReader
from logviewer.insight.errors import SearchCancelled
from logviewer.insight.hits import Hit, read_hit
from logviewer.insight.query import Pattern, Query
from logviewer.insight.remembered import FoundLines, Remembered

MAX_TOTAL = 100_000
"""Matching lines that are counted."""

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_ANSWER_BYTES = 4 * 1024 * 1024
HIT_BYTES, SPAN_BYTES = 64, 24
"""About what a hit and a span take as JSON, besides the text."""

SEARCH_SECONDS = 20.0
"""After this long a search ends with what it has: RE2 cannot hang, but does 1 MB/s where a pattern is at its worst."""

SHOW_SECONDS = 5.0
"""And so does the marking of the places in a page's lines."""

remembered = Remembered()


class Found(NamedTuple):
    """A page of hits in line order.

    `total` is the number of lines with a match in the whole log; where it is not `exact`, there are at least so many.
    `next` is the number of the line from which the next page is to be asked for, None where there is none.
    """

    total: int
    exact: bool
    hits: list[Hit]
    next: int | None


def search_log(
    reader: LogReader,
    query: Query,
    *,
    start: int = 0,
    limit: int = DEFAULT_LIMIT,
    cancelled: Callable[[], bool],
    text_sha256: str | None = None,
) -> Found:
    """Return the first `limit` (1 to MAX_LIMIT) hits from line number `start` on; fewer where they get too long.

    `text_sha256` says which text a finished log has: what was found there is then remembered. Without it every page
    is a search. `cancelled` is looked at for each block and each hit.

    Raises InvalidQuery, SearchCancelled, CorruptIndex.
    """
    if start < 0 or not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"no page of {limit} hits from line {start}")
    pattern = Pattern(query)
    name = None if text_sha256 is None else (reader.files.key, text_sha256, query)
    everywhere = remembered.get(name) if name else None
    if everywhere is None:
        everywhere = find_lines(reader, query, pattern, 1, MAX_TOTAL, cancelled)
        if name:
            remembered.put(name, everywhere)
    numbers, rest = everywhere
    first = bisect_left(numbers, start)
    if first == len(numbers) and rest is not None:  # beyond what was counted
        page = find_lines(reader, query, pattern, max(start, rest), limit, cancelled)
    else:
        chosen = numbers[first : first + limit]
        page = FoundLines(chosen, numbers[first + limit] if first + limit < len(numbers) else rest)
    hits = _read_hits(reader, query, pattern, page.numbers, cancelled)
    following = page.numbers[len(hits)] if len(hits) < len(page.numbers) else page.rest
    return Found(len(numbers), rest is None, hits, following)


def find_lines(
    reader: LogReader, query: Query, pattern: Pattern, first: int, most: int, cancelled: Callable[[], bool]
) -> FoundLines:
    """Return the numbers of the first `most` lines from number `first` on that have a match.

    After SEARCH_SECONDS it ends, at least one line further than it began.
    """
    end = reader.end()
    numbers = array("Q")
    if first > end.lines:
        return FoundLines(numbers, None)
    deadline = time.monotonic() + SEARCH_SECONDS
    text = TextReader(reader, query.channels)
    absent = _Absent()
    with closing(text.chunks(reader.line_start(first), end.size)) as chunks:
        for block in blocks(chunks, pattern.may_occur):
            if cancelled():
                raise SearchCancelled
            if time.monotonic() > deadline:
                line = text.line_at(block.offset) if block.line is None else block.line
                return FoundLines(numbers, max(line, first + 1, numbers[-1] + 1 if numbers else 0))
            if pattern.matches_empty:
                absent.add(block.absent)
            rest = _search_block(block, pattern, text, absent, numbers, most)
            if rest is not None:
                return FoundLines(numbers, rest)
    return FoundLines(numbers, None)


def _search_block(
    block: Block, pattern: Pattern, text_reader: TextReader, absent: "_Absent", numbers: "array[int]", most: int
) -> int | None:
    """Add the numbers of the block's lines with a match; the number of the first that are more than `most`."""
    text = block.text
    search = pattern.regexp(is_ascii=block.is_ascii).search
    at = block.start + (not block.begins)  # with a byte before it, `^` sees that this is no line's begin
    end = block.stop - (not block.ends or text[block.stop - 1 : block.stop] == b"\n")
    number, counted = 0, block.start
    while at <= end:
        match = search(text, at, end)
        if match is None:
            return None
        begin = max(at, text.rfind(b"\n", at, match.start()) + 1)
        if not number:
            number = text_reader.line_at(block.offset) if block.line is None else block.line
        number += text.count(b"\n", counted, begin)
        counted = begin
        if not (numbers and numbers[-1] == number) and number not in absent:
            if len(numbers) == most:
                return number
            numbers.append(number)
        feed = text.find(b"\n", match.end(), block.stop)
        if feed < 0:
            return None
        at = feed + 1
    return None


def _read_hits(
    reader: LogReader, query: Query, pattern: Pattern, numbers: "array[int]", cancelled: Callable[[], bool]
) -> list[Hit]:
    """Read the lines as hits, as many as fit into an answer, and one at the least."""
    deadline = time.monotonic() + SHOW_SECONDS
    hits: list[Hit] = []
    size = 0
    for number in numbers:
        if cancelled():
            raise SearchCancelled
        hit = read_hit(reader, number, pattern, query.channels, lambda: time.monotonic() > deadline)
        size += len(json.dumps(hit.text, ensure_ascii=False).encode()) + HIT_BYTES + SPAN_BYTES * len(hit.spans)
        if hits and size > MAX_ANSWER_BYTES:
            break
        hits.append(hit)
    return hits


class _Absent:
    """Lines of which the chosen channels have nothing: a pattern that matches the empty string does not match them."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def add(self, ranges: list[tuple[int, int]]) -> None:
        """Take in the ranges (first, stop) of a further chunk; nobody asks for earlier lines any more."""
        if ranges:
            self._ranges = ranges

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._ranges, (number + 1, 0)) - 1
        return place >= 0 and number < self._ranges[place][1]
