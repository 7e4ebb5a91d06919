"""A log's text from a line on, in the pieces in which it is stored, for whoever goes through all of it."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import NamedTuple

from logviewer.chunkstore import LogReader
from logviewer.insight.query import ALL_CHANNELS

CHUNK_BYTES = 1024 * 1024
"""A frame of a sealed log, so that none is decoded twice."""

MAX_RUNS = 16_384
READING_AHEAD_THREADS = 4

_reading_ahead = ThreadPoolExecutor(READING_AHEAD_THREADS, thread_name_prefix="read-ahead")


class Chunk(NamedTuple):
    """`data` lies at `offset` of the text, or is what some channels have of what lies there.

    `line` is the number of the line that its first byte belongs to, None where it was not counted. `absent` are
    ranges (first, stop) of lines of which those channels have nothing, not even the line feed.
    """

    data: bytes
    offset: int
    line: int | None
    absent: list[tuple[int, int]]


class TextReader:
    """Reads a log's chunks, one ahead on a thread of its own, and says meanwhile which line lies where.

    A sealed log is so decoded on one core while it is searched on another.
    """

    def __init__(self, reader: LogReader, channels: frozenset[int]) -> None:
        self._reader = reader
        self._channels = channels
        self._lock = Lock()

    def line_at(self, offset: int) -> int:
        """Return the number of the line at `offset`."""
        with self._lock:
            return self._reader.position(offset).line

    def chunks(self, start: int, stop: int) -> Generator[Chunk, None, None]:
        """Yield the text from `start`, which begins a line, up to `stop`."""
        pieces = self._all(start, stop) if self._channels == ALL_CHANNELS else self._chosen(start, stop)
        following: Future[Chunk | None] = _reading_ahead.submit(next, pieces, None)
        try:
            while (chunk := following.result()) is not None:
                following = _reading_ahead.submit(next, pieces, None)
                yield chunk
        finally:
            if not following.cancel():
                wait([following])  # whoever owns the reader may close it now

    def _all(self, start: int, stop: int) -> Iterator[Chunk]:
        offset = start
        while offset < stop:
            # up to the next multiple: where a sealed log's frame ends
            length = min(CHUNK_BYTES - offset % CHUNK_BYTES, stop - offset)
            with self._lock:
                data = self._reader.read(offset, length)
            if not data:
                return
            yield Chunk(data, offset, None, [])
            offset += len(data)

    def _chosen(self, start: int, stop: int) -> Iterator[Chunk]:
        """Yield the chosen channels' bytes, and the line feeds of all, so that lines stay what they are."""
        offset, is_present = start, False
        while offset < stop:
            with self._lock:
                frame = self._reader.frame(offset, max_bytes=min(CHUNK_BYTES, stop - offset), max_runs=MAX_RUNS)
            if frame is None:
                return
            if {run[0] for run in frame.runs} <= self._channels:
                is_present = not frame.data.endswith(b"\n")
                yield Chunk(frame.data, offset, frame.line, [])
                offset = frame.end
                continue
            pieces: list[bytes] = []
            absent: list[tuple[int, int]] = []
            line, at = frame.line, 0
            for channel, length, _time_us in frame.runs:
                feeds = frame.data.count(b"\n", at, at + length)
                if channel in self._channels:
                    pieces.append(frame.data[at : at + length])
                    is_present = frame.data[at + length - 1] != b"\n"[0]
                elif feeds:
                    pieces.append(b"\n" * feeds)
                    absent.append((line + is_present, line + feeds))
                    is_present = False
                line += feeds
                at += length
            yield Chunk(b"".join(pieces), offset, frame.line, absent)
            offset = frame.end
