"""One append-only file of the spool: units of the chunk stream that follow each other without a hole."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from .wire import MAX_BODY_BYTES, Buffer, Piece, encode_unit, measure_units

if TYPE_CHECKING:
    from pathlib import Path

MAX_BUFFERS_PER_WRITE = 1000
"""Below IOV_MAX, 1024 on Linux."""


class Page(NamedTuple):
    """Whole units of a segment: `start` is the payload offset of the first, `payload` their bytes of output."""

    start: int
    payload: int
    body: Buffer


class Segment:
    """A file of units, named after the payload offset of its first byte.

    Attributes:
        start: payload bytes of the log before this segment.
        end: payload bytes up to the segment's end.
        file_bytes: length of the file.
    """

    def __init__(self, directory: Path, start: int) -> None:
        self.start = self.end = start
        self.file_bytes = 0
        self._path = directory / f"{start:020d}.chunks"
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        self._resume()
        self._cursor = (start, 0)

    def _resume(self) -> None:
        """Find the end of a file that an earlier process left; what was torn by its death is cut."""
        size = os.fstat(self._descriptor).st_size
        while self.file_bytes < size:
            span = measure_units(os.pread(self._descriptor, MAX_BODY_BYTES, self.file_bytes))
            if not span.stop:
                os.ftruncate(self._descriptor, self.file_bytes)
                break
            self.file_bytes += span.stop
            self.end += span.payload

    def append(self, pieces: list[Piece]) -> None:
        """Write the pieces' units; on an OSError (disk full) nothing of them is in the file."""
        buffers = [buffer for piece in pieces for buffer in encode_unit(piece)]
        try:
            written = _write_all(self._descriptor, buffers)
        except OSError:
            os.ftruncate(self._descriptor, self.file_bytes)
            raise
        self.end += sum(len(piece.data) for piece in pieces)
        self.file_bytes += written

    def read(self, offset: int, limit: int, file_bytes: int) -> Page:
        """Units from the one that holds payload byte `offset`, at most `limit` bytes of file.

        `file_bytes` is the length known to be written, so that this may run beside `append`.
        """
        start, position = self._cursor if self._cursor[0] <= offset else (self.start, 0)
        while True:
            buffer = os.pread(self._descriptor, min(limit, file_bytes - position), position)
            span = measure_units(buffer)
            if start + span.payload > offset or not span.stop:
                break
            start, position = start + span.payload, position + span.stop
        before = measure_units(buffer, offset - start) if offset > start else None
        first, skipped = (before.stop, before.payload) if before else (0, 0)
        self._cursor = (start + span.payload, position + span.stop)
        body: Buffer = buffer if first == 0 and span.stop == len(buffer) else memoryview(buffer)[first : span.stop]
        return Page(start + skipped, span.payload - skipped, body)

    def remove(self) -> None:
        """Close and delete the file; one that cannot be deleted, or is gone already, must not stop the command."""
        self.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def close(self) -> None:
        """Close the file; its bytes stay."""
        os.close(self._descriptor)


def _write_all(descriptor: int, buffers: list[Buffer]) -> int:
    total = 0
    for first in range(0, len(buffers), MAX_BUFFERS_PER_WRITE):
        group = buffers[first : first + MAX_BUFFERS_PER_WRITE]
        length = sum(map(len, group))
        written = os.writev(descriptor, group)
        if written < length:
            rest = memoryview(b"".join(group))[written:]
            while len(rest):
                rest = rest[os.write(descriptor, rest) :]
        total += length
    return total
