"""The hashes that a finish states, over the stored bytes, in bounded memory."""

import hashlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.record import Flags
from logviewer.chunkstore.state import State

SLAB_BYTES = 1024 * 1024


class Digests(NamedTuple):
    """SHA-256 in hex, of the received payload (None where bytes were dropped) and of the stored text."""

    payload: str | None
    text: str


def digest_log(index: Index, text_fd: int, state: State) -> Digests:
    """Hash a log's text; its payload's hash needs a pass of its own only where the server put in notices."""
    text = _sha256(index, text_fd, iter([(0, state.size)]))
    if state.omitted:
        return Digests(None, text)
    if state.received == state.size:  # nothing dropped: so no notices either
        return Digests(text, text)
    return Digests(_sha256(index, text_fd, _without_notices(index, state)), text)


def _without_notices(index: Index, state: State) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) ranges of the text that came from the writer."""
    start = 0
    for _before, notice in index.flagged(0, state.records, Flags.NOTICE):
        yield start, notice.offset
        start = notice.end
    yield start, state.size


def _sha256(index: Index, text_fd: int, ranges: Iterator[tuple[int, int]]) -> str:
    """Hash ranges of the text, slab by slab."""
    digest = hashlib.sha256()
    buffer = bytearray(SLAB_BYTES)
    with memoryview(buffer) as view:
        for start, end in ranges:
            while start < end:
                read = os.preadv(text_fd, [view[: min(SLAB_BYTES, end - start)]], start)
                if not read:
                    raise CorruptIndex(index.path, f"the text ends at {start}, the index says {end}")
                digest.update(view[:read])
                start += read
    return digest.hexdigest()
