"""What is read by range: a local file here; a sealed text and an object of another store elsewhere."""

import os
import threading
from typing import Protocol


class Source(Protocol):
    """Bytes at offsets. For one thread at a time, as readers are."""

    def size(self) -> int:
        """Return how many bytes there are now."""

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on; fewer only where the source ends."""

    def read_now(self, offset: int, length: int) -> bytes | memoryview | None:
        """Return these bytes if they can be had without waiting for a disk or a network; None where nobody knows.

        A view is good until the next `read_now` on the same thread.
        """

    def close(self) -> None:
        """Let go of what is held; may be repeated."""


PLACE_BYTES = 256 * 1024


class _Place(threading.local):
    """Memory that a thread's `read_now` reads into again and again: new memory costs as much as the reading."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(PLACE_BYTES))


_place = _Place()


class LocalFile:
    """An open file as a Source; whoever opens it hands the descriptor over."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def size(self) -> int:
        """Return the file's size."""
        return os.fstat(self.fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the file; the kernel gives at most 2 GiB at once, which nobody here asks for."""
        return os.pread(self.fd, length, offset)

    def read_now(self, offset: int, length: int) -> memoryview | None:
        """Return a view of these bytes, if the page cache holds all of them."""
        view = _place.view[:length] if length <= PLACE_BYTES else memoryview(bytearray(length))
        try:
            return view if os.preadv(self.fd, [view], offset, os.RWF_NOWAIT) == length else None
        except (OSError, AttributeError):  # it does not, or this system or file system cannot tell
            return None

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
