"""Chunks as they are searched: the text as it is shown, cut at line ends."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from logviewer.insight.chunks import Chunk
from logviewer.insight.shown_text import is_shown_as_it_is, shown

MAX_BLOCK_BYTES = 256 * 1024
"""What is searched at once: between two blocks a search can be called off."""

OVERLAP_BYTES = 64 * 1024
"""A line longer than a block is searched in pieces that overlap by this much: the longest match found for certain."""


class Block(NamedTuple):
    """Whole lines, or a piece of one line that is longer than a block, or the end of such a line and lines after it.

    The block is `text[start:stop]`, not copied where its bytes are shown as they are. `offset` lies in the line of
    its first byte; `line` is that line's number, None where it was not counted. `begins`: its first byte begins a
    line; `ends`: it ends with a line feed, or with the log. `absent`: as in Chunk, all of a chunk's with its first
    block.
    """

    text: bytes
    start: int
    stop: int
    is_ascii: bool
    offset: int
    line: int | None
    begins: bool
    ends: bool
    absent: list[tuple[int, int]]


def blocks(chunks: Iterable[Chunk], may_occur: Callable[[bytes], bool]) -> Iterator[Block]:
    """Yield what `chunks` hold, which begin with a line, as blocks.

    Bytes that would have to be changed to be what is shown are given only where what is searched for `may_occur` in
    them; else the block is empty.
    """
    carry, begins = b"", True
    offset, line = 0, None
    for data, offset, line, absent in chunks:  # the carry has no line feed: its line is the chunk's first
        as_it_is = is_shown_as_it_is(data)
        at = 0
        if carry:
            feed = data.find(b"\n") + 1
            if 0 < feed <= MAX_BLOCK_BYTES:  # then only the first line has to be joined
                at = feed
                yield _block(carry + data[:feed], may_occur, offset, line, begins, True, absent)
                line, absent, begins = None if line is None else line + 1, [], True
            else:
                data, offset = carry + data, offset - len(carry)
                as_it_is = as_it_is and is_shown_as_it_is(carry)
        while at < len(data):
            stop = data.rfind(b"\n", at, at + MAX_BLOCK_BYTES) + 1
            ends = stop > 0
            if not ends:
                if len(data) - at <= MAX_BLOCK_BYTES:
                    break
                stop = at + MAX_BLOCK_BYTES
            if as_it_is:
                yield Block(data, at, stop, True, offset + at, line, begins, ends, absent)
            else:
                yield _block(data[at:stop], may_occur, offset + at, line, begins, ends, absent)
            if line is not None:
                line += data.count(b"\n", at, stop)
            absent, begins = [], ends
            at = stop if ends else stop - OVERLAP_BYTES
        carry = data[at:]
        offset += at
    if carry:
        yield _block(carry, may_occur, offset, line, begins, True, [])


def _block(
    data: bytes,
    may_occur: Callable[[bytes], bool],
    offset: int,
    line: int | None,
    begins: bool,
    ends: bool,
    absent: list[tuple[int, int]],
) -> Block:
    text = shown(data) if may_occur(data) else b""
    return Block(text, 0, len(text), text.isascii(), offset, line, begins, ends, absent)
