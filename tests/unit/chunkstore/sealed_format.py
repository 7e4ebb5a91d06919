"""The seekable format from its specification, sharing no code with the store; and a source of bytes in memory."""

import shutil
import struct
import subprocess
from pathlib import Path

import zstandard

from tests.services import missing


class Memory:
    """Bytes in memory as a Source."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.is_closed = False

    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def read_now(self, offset: int, length: int) -> bytes:
        return self.read(offset, length)

    def close(self) -> None:
        self.is_closed = True


def frame(text: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(text)


def table(sizes: list[tuple[int, ...]], flags: int = 0) -> bytes:
    entries = b"".join(struct.pack(f"<{len(row)}I", *row) for row in sizes)
    return (
        (0x184D2A5E).to_bytes(4, "little")
        + (len(entries) + 9).to_bytes(4, "little")
        + entries
        + len(sizes).to_bytes(4, "little")
        + bytes([flags])
        + (0x8F92EAB1).to_bytes(4, "little")
    )


def seal(pieces: list[bytes]) -> bytes:
    """A sealed file of frames that decode to these pieces."""
    frames = [frame(piece) for piece in pieces]
    return b"".join(frames) + table([(len(made), len(piece)) for made, piece in zip(frames, pieces, strict=True)])


def restored_by_zstd(path: Path) -> bytes:
    """What the stock command makes of a file."""
    command = shutil.which("zstd") or missing("zstd", "there is no such command")
    return subprocess.run([command, "-d", "-c", str(path)], capture_output=True, check=True).stdout
