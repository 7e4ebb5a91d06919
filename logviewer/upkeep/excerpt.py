"""Some lines of a log, to be looked at before they are redacted."""

from __future__ import annotations

from logviewer.chunkstore.lines import read_lines
from logviewer.live.store import chunk_store
from logviewer.models import LogFile
from logviewer.upkeep.errors import NoSuchLines

MAX_EXCERPT_LINES = 100
MAX_EXCERPT_BYTES = 64 * 1024


def excerpt(log: LogFile, start: int, end: int) -> list[tuple[int, str]]:
    """The lines `start` to `end` of a log with their numbers: the first of them, where they are many or long.

    Raises:
        NoSuchLines: it has no such lines.
        ChunkStoreError: it cannot be read.
    """
    if not 1 <= start <= end <= log.lines:
        raise NoSuchLines(start, end, log.lines)
    count = min(end - start + 1, MAX_EXCERPT_LINES)
    with chunk_store().reader(log.key) as reader:
        found = read_lines(reader, start, count, max_bytes=MAX_EXCERPT_BYTES)
    return [(line.number, "".join(text for _channel, text in line.runs)) for line in found.lines]
