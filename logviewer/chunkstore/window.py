"""A source read front to back: a large piece at once, of which many small ones are taken."""

from logviewer.chunkstore.errors import CorruptSealed
from logviewer.chunkstore.record import Record
from logviewer.chunkstore.sources import Source

WINDOW_BYTES = 1024 * 1024
"""A frame of a sealed text, and few requests to another store."""

MAX_EXTENT_BYTES = 1024 * 1024
"""Far above what is ever written; a damaged length must not make anybody read gigabytes."""

MAX_OFFSET = 2**63 - 1 - WINDOW_BYTES
"""Beyond, the kernel takes no offset."""


class Window:
    """Itself a Source. Pieces end where frames of a sealed text do: a damaged one does not hide the one before."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._offset = 0
        self._piece = b""
        self._unreadable = -1, ""  # the number of the last piece that could not be read, and why

    def size(self) -> int:
        """Return the source's size."""
        return self._source.size()

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes, from the piece at hand where they lie in it."""
        start = offset - self._offset
        if start < 0 or start + length > len(self._piece):
            piece_bytes = max(length, WINDOW_BYTES - offset % WINDOW_BYTES)
            self._piece = b""
            self._piece, self._offset, start = self._source.read(offset, piece_bytes), offset, 0
        return self._piece[start : start + length]

    def extent(self, record: Record) -> tuple[bytes, str]:
        """Return a record's bytes, as many as there are; none, and why, where they cannot be had."""
        if not record.length or record.length > MAX_EXTENT_BYTES or record.offset > MAX_OFFSET:
            return b"", ""
        number = record.offset // WINDOW_BYTES
        if number == self._unreadable[0]:
            return b"", self._unreadable[1]
        try:
            return self.read(record.offset, record.length), ""
        except CorruptSealed as error:
            if record.end <= (number + 1) * WINDOW_BYTES:
                self._unreadable = number, str(error)
            return b"", str(error)

    def read_now(self, offset: int, length: int) -> bytes | memoryview | None:
        """Return what the source returns."""
        return self._source.read_now(offset, length)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
