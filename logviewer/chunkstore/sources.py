"""What is read by range: a local file here; a sealed text and an object of another store elsewhere."""

import os
from typing import Protocol


class Source(Protocol):
    """Bytes at offsets. For one thread at a time, as readers are."""

    def size(self) -> int:
        """Return how many bytes there are now."""

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on; fewer only where the source ends."""

    def is_in_memory(self, offset: int, length: int) -> bool:
        """Say whether these bytes can be had without waiting for a disk or a network; False where nobody knows."""

    def close(self) -> None:
        """Let go of what is held; may be repeated."""


NOWHERE_BYTES = 256 * 1024
_nowhere = memoryview(bytearray(NOWHERE_BYTES))
"""Where bytes go that nobody reads, of all threads at once: new memory for each would cost as much as the reading."""


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

    def is_in_memory(self, offset: int, length: int) -> bool:
        """Say whether the page cache holds these bytes."""
        try:
            place = _nowhere[:length] if length <= NOWHERE_BYTES else bytearray(length)
            return os.preadv(self.fd, [place], offset, os.RWF_NOWAIT) == length
        except (OSError, AttributeError):  # it does not, or this system or file system cannot tell
            return False

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
