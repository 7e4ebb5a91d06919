"""A file's content, unpacked as it is read, with bounds that no decompression bomb gets past."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from typing import BinaryIO

from logviewer.upkeep.errors import DamagedArchive, SuspiciousRatio, TooLarge

DEFAULT_MAX_BYTES = 16 * 1024**3
DEFAULT_MAX_RATIO = 1000
"""bzip2 packs a megabyte of zeros into 45 bytes, Buildbot's logs into a tenth or a thirtieth."""

RATIO_FREE_BYTES = 1024 * 1024
"""So much any small file may unpack to before its ratio counts."""

GZIP_MAGIC = b"\x1f\x8b"
BZIP2_MAGIC = b"BZh"
MAGIC_BYTES = 3


class UnpackedFile:
    """Reads a plain, gzip or bzip2 file, told apart by how it begins, never by its name. The file need not be seekable.

    `packed_bytes` is how far the file was read, `bytes_read` how much content came of it.
    """

    def __init__(
        self, file: BinaryIO, *, max_bytes: int = DEFAULT_MAX_BYTES, max_ratio: int = DEFAULT_MAX_RATIO
    ) -> None:
        self.max_bytes = max_bytes
        self.max_ratio = max_ratio
        self.bytes_read = 0
        self._counted = _CountedFile(file)
        head = self._counted.head
        self._content: io.BufferedIOBase
        if head.startswith(GZIP_MAGIC):
            self.coding = "gzip"
            self._content = gzip.GzipFile(fileobj=io.BufferedReader(self._counted), mode="rb")
        elif head == BZIP2_MAGIC:
            self.coding = "bzip2"
            self._content = bz2.BZ2File(io.BufferedReader(self._counted), "rb")
        else:
            self.coding = "plain"
            self._content = io.BufferedReader(self._counted)

    @property
    def packed_bytes(self) -> int:
        """How many bytes of the file itself were read."""
        return self._counted.bytes_read

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes of content, none at the end.

        Raises TooLarge and SuspiciousRatio before handing out what is beyond the bounds, DamagedArchive.
        """
        try:
            data = self._content.read(size)
        except (EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of the format
                raise
            raise DamagedArchive(self.coding, self.bytes_read, str(error)) from error
        self.bytes_read += len(data)
        if self.bytes_read > self.max_bytes:
            raise TooLarge(self.max_bytes)
        packed = self.packed_bytes
        if (
            self.coding != "plain"
            and self.bytes_read > RATIO_FREE_BYTES
            and self.bytes_read - RATIO_FREE_BYTES > packed * self.max_ratio
        ):
            raise SuspiciousRatio(packed, self.bytes_read, self.max_ratio)
        return data


class _CountedFile(io.RawIOBase):
    """Another file, its bytes counted as they go by, its first few looked at beforehand."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.head = file.read(MAGIC_BYTES)
        self._unread = self.head
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer has no len()
        data = self._unread or self._file.read(len(buffer))
        data, self._unread = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(data)] = data
        self.bytes_read += len(data)
        return len(data)
