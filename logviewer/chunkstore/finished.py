"""A finished log that is sealed or archived, and what its writer may still ask of it: to send again, to finish again.

The files are only read. The answers are LogAppender's, which knows plain logs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from logviewer.chunkstore.archive import Archive
from logviewer.chunkstore.digest import digest_log, is_verified
from logviewer.chunkstore.errors import CorruptIndex, InvalidAppend, LogFinished
from logviewer.chunkstore.index import Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.opening import open_sources
from logviewer.chunkstore.overlap import check_overlap
from logviewer.chunkstore.shapes import Finished
from logviewer.chunkstore.sources import Source
from logviewer.chunkstore.state import State, state_at
from logviewer.chunkstore.wire import Entry


@dataclass(frozen=True, slots=True)
class FinishedLog:
    """An open index, an open text, and the log's end, which does not move any more."""

    index: Index
    text: Source
    state: State

    def append(self, entries: Sequence[Entry], offset: int | None, skip: int) -> None:
        """Accept what is known already, byte for byte. Raises LogFinished, OverlapDiffers, InvalidAppend."""
        total = sum([len(entry.data) for entry in entries])
        start = self.state.received if offset is None else offset + skip
        if skip < 0 or start < skip:
            raise InvalidAppend(f"offset {offset} and skip {skip} must not be negative")
        if start + total > self.state.received:
            raise LogFinished(self.state.received)
        if total:
            check_overlap(self.index, self.text, self.state, entries, start, total)

    def finish(self, received: int | None, sha256: str | None, unverified: bool) -> Finished:
        """Compare what the writer says, as at the first finish. Raises Mismatch."""
        digests = digest_log(self.index, self.text, self.state)
        verified = is_verified(digests, self.state, received, sha256, unverified)
        return Finished(self.state.end(), digests.payload, digests.text, verified)


@contextmanager
def open_finished(files: LogFiles, archive: Archive | None) -> Iterator[FinishedLog]:
    """Open a sealed or archived log. Raises NoSuchLog, CorruptIndex, CorruptSealed, ArchiveAway."""
    index_source, text = open_sources(files, archive)
    try:
        index = Index(files.index, index_source)
        yield FinishedLog(index, text, _end_state(index, text))
    finally:
        index_source.close()
        text.close()


def _end_state(index: Index, text: Source) -> State:
    """Return the end that the index of a finished log gives."""
    count = index.count()
    state = state_at(index, text, count, text.size()) if count else State()
    if not state.finished or state.size != text.size():
        raise CorruptIndex(index.path, "the text was sealed, but no end record agrees with it")
    return state
