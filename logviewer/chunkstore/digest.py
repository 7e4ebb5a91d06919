"""The hashes that a finish states, over the stored bytes, in bounded memory."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from logviewer.chunkstore.errors import CorruptIndex, Mismatch
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.record import Flags
from logviewer.chunkstore.sources import Source
from logviewer.chunkstore.state import State

SLAB_BYTES = 1024 * 1024


class Digests(NamedTuple):
    """SHA-256 in hex, of the received payload (None where bytes were dropped) and of the stored text."""

    payload: str | None
    text: str


class TextDigest:
    """The SHA-256 of a log's text up to `size`, carried on while the text is in memory anyway.

    What it has seen need not be read again at the finish, which holds the log for as long as that takes: 0.1 s for
    100 MB that lie in the page cache.
    """

    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()

    def follow(self, offset: int, pieces: Iterable[bytes]) -> None:
        """Take in what was written at `offset`; where something before it was not seen, this stays as it is."""
        if offset != self.size:
            return
        for piece in pieces:
            self._sha256.update(piece)
            self.size += len(piece)

    def begin(self) -> "hashlib._Hash":
        """Return a hash of the first `size` bytes, to be carried on."""
        return self._sha256.copy()


def digest_log(
    index: Index, text: Source, state: State, more: Iterable[bytes] = (), seen: TextDigest | None = None
) -> Digests:
    """Hash a log's text, and `more` that is about to follow it; what `seen` knows of the text is not read.

    The payload's hash needs a pass of its own only where the server put in notices. It is None also where the whole
    tail was kept: headers that came among it stand before it in the text.
    """
    seen = seen or TextDigest()
    whole = _sha256(index, text, iter([(seen.size, state.size)]), more, seen.begin())
    if state.omitted or state.truncated:
        return Digests(None, whole)
    if state.received == state.size:  # nothing dropped: so no notices either
        return Digests(whole, whole)
    return Digests(_sha256(index, text, _without_notices(index, state)), whole)


def is_verified(digests: Digests, state: State, received: int | None, sha256: str | None, unverified: bool) -> bool:
    """Compare what the writer says it sent with what came; say whether it gave both values and they agree.

    Raises Mismatch where one differs, unless `unverified`.
    """
    expected = sha256.lower() if sha256 is not None else None
    counts_agree = received is None or received == state.received
    hashes_agree = expected is None or digests.payload is None or expected == digests.payload
    if not (counts_agree and hashes_agree) and not unverified:
        raise Mismatch(received, state.received, expected, digests.payload)
    return received == state.received and expected is not None and expected == digests.payload


def _without_notices(index: Index, state: State) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) ranges of the text that came from the writer."""
    start = 0
    for _before, notice in index.flagged(0, state.records, Flags.NOTICE):
        yield start, notice.offset
        start = notice.end
    yield start, state.size


def _sha256(
    index: Index,
    text: Source,
    ranges: Iterator[tuple[int, int]],
    more: Iterable[bytes] = (),
    begun: "hashlib._Hash | None" = None,
) -> str:
    """Carry on a hash with ranges of the text, slab by slab, then `more`."""
    digest = begun or hashlib.sha256()
    for start, end in ranges:
        while start < end:
            slab = text.read(start, min(SLAB_BYTES, end - start))
            if not slab:
                raise CorruptIndex(index.path, f"the text ends at {start}, the index says {end}")
            digest.update(slab)
            start += len(slab)
    for data in more:
        digest.update(data)
    return digest.hexdigest()
