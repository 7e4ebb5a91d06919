"""A log's tail file: at most the last bytes of its output, while the log is open and its head has ended."""

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from logviewer.chunkstore.disk import FILE_MODE, sync_directory, write_whole
from logviewer.chunkstore.tail import (
    FRAME,
    HEADER,
    TailExtent,
    TailHeader,
    from_line_start,
    last_bytes,
    merged,
    pack_frame,
    read_tail,
    unpack_header,
)

logger = logging.getLogger(__name__)

ALLOWANCE_BYTES = 4096
"""What the file may have beyond twice what is kept: its header, frames' heads and tables."""

NEW_SUFFIX = ".new"
"""A file that is being made, renamed when it is whole."""


class TailFile:
    """The file at `path`, if there is one. For whoever holds the log's lock; `close` may be called at any time.

    When the file would have more than twice its `max_bytes` (and than ALLOWANCE_BYTES), it is made anew with the last
    `max_bytes` of output (and one byte more, by which is told whether they begin a line) and put in place by a rename,
    before anything new goes in: so a body that fails then takes nothing of the old output with it. Where extents are
    so small that their table would be larger than the output, less is kept. Only what cannot be made smaller, a body
    of nearly `max_bytes` behind as much that is kept, goes beyond twice, by ALLOWANCE_BYTES at most.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1
        self._header = TailHeader(0, 0, False)
        self._size = 0
        self._settled = 0  # of these, what the index has

    @property
    def is_open(self) -> bool:
        """Whether there is a tail that can be used."""
        return self._fd >= 0

    @property
    def max_file_bytes(self) -> int:
        """How large the file may become."""
        return 2 * self._header.max_bytes + ALLOWANCE_BYTES

    def look(self, received: int) -> None:
        """Open the file as it is now, without what lies behind the `received` payload bytes that the index has.

        Cheap where nobody has changed it. What is damaged is logged and left out: a tail never holds its log up.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self.close()
            return
        if self.is_open and status.st_size == self._size and status.st_ino == os.fstat(self._fd).st_ino:
            return
        self.close()
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        header = unpack_header(os.pread(fd, HEADER.size, 0))
        if header is None:
            os.close(fd)
            logger.warning("%s has no valid header: the end of this log's output so far is lost", self.path)
            return
        self._fd, self._header = fd, header
        self._cut(received)

    def create(self, header: TailHeader) -> None:
        """Make an empty tail in the place of whatever is there."""
        self._replace(header, b"")

    def append(self, extents: Sequence[TailExtent]) -> None:
        """Add a body's extents. `settle` makes that last, `take_back` undoes it."""
        frame = pack_frame(last_bytes(extents, self._header.max_bytes + 1, self._max_frame_bytes))
        if self._size + len(frame) > max(2 * self._header.max_bytes, ALLOWANCE_BYTES):
            kept = last_bytes(merged(self.extents()), self._header.max_bytes + 1, self._max_frame_bytes)
            self._replace(self._header, pack_frame(kept))
        write_whole(self._fd, [frame], self._size)
        self._size += len(frame)

    def settle(self) -> None:
        """Keep what was appended: the index has it."""
        self._settled = self._size

    def take_back(self) -> None:
        """Cut off what was appended since `settle`, whether its writing came to an end or not."""
        if self.is_open:
            os.ftruncate(self._fd, self._settled)
            self._size = self._settled

    def extents(self) -> list[TailExtent]:
        """Return all that is kept."""
        return read_tail(self._read()).extents if self.is_open else []

    def final(self) -> list[TailExtent]:
        """Return the last `max_bytes`, from a line's start on where one is among them."""
        if not self.is_open:
            return []
        max_bytes = self._header.max_bytes
        kept = last_bytes(merged(self.extents()), max_bytes + 1)
        size = sum(len(extent.data) for extent in kept)
        if not size:
            return []
        if size > max_bytes:
            starts_line = kept[0].data.startswith(b"\n")
            kept = last_bytes(kept, max_bytes)
        else:
            starts_line = self._header.at_line_start and kept[0].position == self._header.begins
        return kept if starts_line else from_line_start(kept)

    def sync(self) -> None:
        """Put the file on stable storage; its name is there since it was made."""
        if self.is_open:
            os.fdatasync(self._fd)

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self.close()
        remove_tail(self.path)

    def close(self) -> None:
        """Close the file, which forgets what was known of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def _max_frame_bytes(self) -> int:
        """How large one of two frames may be that fill the file."""
        return (self.max_file_bytes - HEADER.size) // 2

    def _read(self) -> bytes:
        """Return the file's bytes; a longer one than may be is nothing of ours from there on."""
        return os.pread(self._fd, self.max_file_bytes, 0)

    def _cut(self, received: int) -> None:
        """Take away what is damaged at the file's end, and what the index does not have."""
        size = os.fstat(self._fd).st_size
        tail = read_tail(self._read(), received)
        if tail.damage:
            logger.warning("%s: %s, and is left out of the end of this log's output", self.path, tail.damage)
        self._size = tail.size
        if tail.size < size:
            os.ftruncate(self._fd, tail.size)
        if tail.extents and tail.extents[-1].end > received:
            frame = pack_frame([], received)
            write_whole(self._fd, [frame], self._size)
            self._size += FRAME.size
        self._settled = self._size

    def _replace(self, header: TailHeader, frames: bytes) -> None:
        """Put a new file in place, on stable storage with its name: nothing of the old one is needed from then on."""
        new = self.path.with_name(self.path.name + NEW_SUFFIX)
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        try:
            write_whole(fd, [header.packed() + frames], 0)
            os.fsync(fd)
            new.replace(self.path)
            sync_directory(self.path.parent)
        except BaseException:
            os.close(fd)
            new.unlink(missing_ok=True)
            raise
        self.close()
        self._fd, self._header, self._size = fd, header, HEADER.size + len(frames)
        self._settled = self._size


def remove_tail(path: Path) -> None:
    """Delete a tail file, and one that was being made; what is gone already is no error."""
    with suppress(NotADirectoryError):
        path.unlink(missing_ok=True)
        path.with_name(path.name + NEW_SUFFIX).unlink(missing_ok=True)
