"""When what processes remember of the other store's files is void: counted in one file that all of them look at.

The data directory is on one file system for all processes, as its locks ask for, so that a byte appended by one is seen
by the others with their next look.
"""

from __future__ import annotations

import os
from pathlib import Path

FILE_NAME = "revocations"
FILE_MODE = 0o640


class Revocations:
    """The count of all revocations there ever were: the size of a file, which grows by a byte with each."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME

    def count(self) -> int:
        """Return how many there were; 0 where there is no file."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def add(self) -> None:
        """Count one more. When it returns no process believes what it asked before. Raises OSError."""
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.write(fd, b"\n")
        finally:
            os.close(fd)
