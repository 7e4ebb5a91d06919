"""What the store asks of another one that sealed logs move to. The implementation lives where its settings are."""

from pathlib import Path
from typing import Protocol

from logviewer.chunkstore.sources import Source


class Archive(Protocol):
    """Whole files by name, written once and read by range. Thread-safe.

    A name is a log's key and a suffix, such as `demo/linux-gcc/42/3-compile/stdio-1017.log.zst`.
    Every method may raise ArchiveAway.
    """

    def open(self, name: str) -> Source:
        """Open a file for reads by range, which may raise ArchiveAway as well. FileNotFoundError if there is none."""

    def save(self, name: str, path: Path) -> None:
        """Put the file at `path` there under this name, in place of an older one."""

    def delete(self, name: str) -> None:
        """Remove a file; no error if there is none."""

    def revoke(self) -> None:
        """Make what any process keeps in memory of files here void: some that were deleted nobody may read any more.

        Whoever opens a file after this has returned gets what lies here now. OSError: it is not so yet.
        """
