"""The spool of one log on disk: the command writes at its own speed, the sender reads at the network's.

A directory of segments. What the server has acknowledged is kept too, in case the server lost it in a crash, until
the log is finished or the room is needed. Beyond the limit new bytes are dropped, and the hole between two segments
tells how many.
"""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from .segment import Segment
from .wire import HEADER, MAX_BODY_BYTES, MAX_UNIT_PAYLOAD_BYTES, Buffer, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

DEFAULT_LIMIT_BYTES = 1024**3
MAX_SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENTS_PER_LIMIT = 8
"""Room is made a segment at a time; an eighth of the limit keeps a small limit usable."""

DISK_FULL_PAUSE_SECONDS = 1.0
"""After a failed write the disk is left alone for a moment: each retry that fits would end in a hole of its own."""

MIN_PAYLOAD_BYTES = 512
UNIT_OVERHEAD_BYTES = 40
"""At most: `17:t` and 16 digits (20 from the year 5138), two commas, `65537:0`."""

FLUSH_INTERVAL_SECONDS = 0.05
FLUSH_BYTES = 64 * 1024
"""The sender waits for 50 ms after the last body, or until 64 KiB have gathered."""


def _nobody() -> None:
    """Listens to a spool that nobody else listens to."""


class Batch(NamedTuple):
    """The next body: `offset` payload bytes precede it, then `skip` lost ones, then `payload` in `body`."""

    offset: int
    skip: int
    payload: int
    body: Buffer

    @property
    def end(self) -> int:
        """Payload bytes of the log up to the end of this body."""
        return self.offset + self.skip + self.payload


class Spool:
    """What one log holds, from the command's side (`append`, `close`) and the sender's (`wait`, `read`).

    Attributes:
        dropped: bytes that found no room.
    """

    def __init__(self, directory: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        """Use `directory`, which exists, and go on after what an earlier process left in it."""
        self.directory = directory
        self.dropped = 0
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(1, min(MAX_SEGMENT_BYTES, limit_bytes // SEGMENTS_PER_LIMIT))
        self._unit_payload_bytes = max(MIN_PAYLOAD_BYTES, min(MAX_UNIT_PAYLOAD_BYTES, self._segment_bytes // 2))
        starts = sorted(int(path.stem) for path in directory.glob("*.chunks") if path.stem.isdecimal())
        self._segments = [Segment(directory, start) for start in starts]
        self._end = self._segments[-1].end if self._segments else 0
        self._acknowledged = 0
        self._dropping = False
        self._disk_full_until = 0.0
        self._closed = False
        self._changed = threading.Condition()
        self._listener: Callable[[], None] = _nobody

    @property
    def end(self) -> int:
        """Payload bytes of the log so far, dropped ones included."""
        return self._end

    @property
    def closed(self) -> bool:
        """Whether nothing more will be appended."""
        return self._closed

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each `append` and after `close`, in their thread: it must not wait."""
        self._listener = listener

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more; another that has taken its place stays."""
        with self._changed:
            if self._listener is listener:
                self._listener = _nobody

    @property
    def pending_bytes(self) -> int:
        """Payload bytes that the server has not acknowledged."""
        return self._end - self._acknowledged

    def append(self, pieces: Iterable[Piece]) -> None:
        """Store the pieces, or drop those for which there is no room. Never waits, never fails."""
        units = [unit for piece in pieces for unit in self._split(piece)]
        with self._changed:
            while units:
                count = self._fitting(units)
                if not count or not self._store(units[:count]):
                    count = 1
                    self._drop(units[0])
                del units[:count]
            self._changed.notify_all()
        self._listener()

    def _split(self, piece: Piece) -> Iterable[Piece]:
        if len(piece.data) <= self._unit_payload_bytes:
            return [piece]
        view, step = memoryview(piece.data), self._unit_payload_bytes
        return [piece._replace(data=view[start : start + step]) for start in range(0, len(view), step)]

    def _fitting(self, units: list[Piece]) -> int:
        """How many of the units may be written into the last segment now; 0 where the first is to be dropped.

        Headers, which say how the command ended, always find room.
        """
        if time.monotonic() < self._disk_full_until and units[0].channel != HEADER:
            return 0
        used = sum(segment.file_bytes for segment in self._segments)
        segment_used = self._segments[-1].file_bytes if self._segments else 0
        for count, unit in enumerate(units):
            size = len(unit.data) + UNIT_OVERHEAD_BYTES
            if used + size > self._limit_bytes - self._reserve() and unit.channel != HEADER:
                used -= self._make_room() if not count else 0
                if used + size > self._limit_bytes - self._reserve():
                    return count
            if segment_used > self._segment_bytes:
                return count or 1
            used, segment_used = used + size, segment_used + size
        return len(units)

    def _reserve(self) -> int:
        """While dropping, wait until a whole segment is free: one long hole is better than many small ones."""
        return self._segment_bytes if self._dropping else 0

    def _make_room(self) -> int:
        """Delete acknowledged segments, oldest first; answers the bytes of file that were freed."""
        freed = 0
        while self._segments and self._segments[0].end <= self._acknowledged:
            segment = self._segments.pop(0)
            freed += segment.file_bytes
            segment.remove()
        return freed

    def _store(self, units: list[Piece]) -> bool:
        try:
            last = self._segments[-1] if self._segments else None
            if last is None or last.end != self._end or last.file_bytes > self._segment_bytes:
                last = Segment(self.directory, self._end)
                self._segments.append(last)
            last.append(units)
        except OSError:
            self._disk_full_until = time.monotonic() + DISK_FULL_PAUSE_SECONDS
            if self._segments and not self._segments[-1].file_bytes:
                self._segments.pop().remove()  # one of these a second would use up the descriptors
            return False
        self._end = last.end
        self._dropping = False
        return True

    def _drop(self, unit: Piece) -> None:
        self._end += len(unit.data)
        self.dropped += len(unit.data)
        self._dropping = True

    def close(self) -> None:
        """Nothing more will be appended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._listener()

    def wait(self, offset: int, not_before: float) -> bool:
        """Wait for the moment to send what follows `offset`; False when the spool is closed and all of it was sent.

        That moment is `not_before` (monotonic seconds) if there is anything, earlier once `FLUSH_BYTES` have gathered
        or the spool is closed.
        """
        with self._changed:
            while not self._closed:
                pending = self._end - offset
                delay = not_before - time.monotonic()
                if pending >= FLUSH_BYTES or (pending and delay <= 0):
                    return True
                self._changed.wait(delay if pending else None)
            return self._end > offset

    def read(self, offset: int, limit: int = MAX_BODY_BYTES) -> Batch:
        """The next body of at most `limit` bytes after `offset` payload bytes, which must be below `end`.

        `limit` must let one unit through. Called by one thread at a time, beside `append`.

        Where `offset` lies inside a unit the batch begins with that unit, before `offset`: the server skips what it
        knows. A batch without payload tells of lost bytes at the present end.
        """
        with self._changed:
            segment = next((segment for segment in self._segments if segment.end > offset), None)
            if segment is None:
                return Batch(offset, self._end - offset, 0, b"")
            file_bytes = segment.file_bytes
        # Without the lock, so that the command writes on: only what is acknowledged may be deleted meanwhile
        page = segment.read(max(offset, segment.start), limit, file_bytes)
        if page.start > offset:
            return Batch(offset, page.start - offset, page.payload, page.body)
        return Batch(page.start, 0, page.payload, page.body)

    def acknowledge(self, offset: int) -> None:
        """The server has all bytes before `offset`: their room may be used when it is needed."""
        with self._changed:
            self._acknowledged = offset

    def leave(self) -> None:
        """Close the files and let them lie: nobody uses this object any more."""
        with self._changed:
            for segment in self._segments:
                segment.close()
            self._segments = []

    def remove(self) -> None:
        """Delete the directory: the log's finish has been answered."""
        self.leave()
        shutil.rmtree(self.directory, ignore_errors=True)
