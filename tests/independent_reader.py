"""A reader of stored logs that shares no code with the product: storage.md once more, plainly and with nothing fast.

It takes a log's files as they lie, plain or sealed, checks every field of every record and every CRC against the
text, and says what the log holds. AssertionError where something is not as storage.md has it.
"""

import hashlib
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

DROPPED, END, NOTICE = 1, 2, 4
FLAGS = {0, DROPPED, END, NOTICE, NOTICE | DROPPED}
FRAME_BYTES = 1024 * 1024


class Extent(NamedTuple):
    offset: int
    line: int
    received: int
    time_us: int
    channel: int
    flags: int
    data: bytes


class Log(NamedTuple):
    """What a log's files say; `omitted` of the `received` bytes are not in the text, `payload` are those that are."""

    text: bytes
    extents: list[Extent]
    received: int
    omitted: int
    finished: bool
    payload: bytes

    @property
    def lines(self) -> int:
        return self.text.count(b"\n") + (self.text != b"" and not self.text.endswith(b"\n"))

    @property
    def runs(self) -> list[tuple[int, bytes]]:
        return joined(self.extents)

    @property
    def sha256(self) -> str | None:
        truncated = any(extent.flags == NOTICE for extent in self.extents)  # then headers may stand before the tail
        return None if self.omitted or truncated else hashlib.sha256(self.payload).hexdigest()

    @property
    def text_sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def synced(root: Path, key: str) -> int:
    return number((root / f"{key}.idx").read_bytes()[16:24])


def read(root: Path, key: str) -> Log:
    """Read a log in whatever form it lies."""
    found = extents(root, key)
    payload = b"".join(extent.data for extent in found if not extent.flags & NOTICE)
    received = found[-1].received if found else 0
    assert len(payload) <= received
    finished = bool(found) and found[-1].flags == END
    return Log(text(root, key), found, received, received - len(payload), finished, payload)


def text(root: Path, key: str) -> bytes:
    """The text: of the plain file where there is one, else of the sealed one."""
    plain = root / f"{key}.log"
    return plain.read_bytes() if plain.exists() else unsealed((root / f"{key}.log.zst").read_bytes())


def extents(root: Path, key: str) -> list[Extent]:
    """Return all extents, having checked every field of every record against the text."""
    whole = text(root, key)
    index = (root / f"{key}.idx").read_bytes()
    assert index[:8] == b"BLOGIDX1"
    assert number(index[8:12]) == 1
    assert number(index[12:16]) == 48
    assert index[24:64] == bytes(40)
    assert (len(index) - 64) % 48 == 0
    assert number(index[16:24]) <= (len(index) - 64) // 48
    found: list[Extent] = []
    at = lines = received = flags = 0
    for place in range(64, len(index), 48):
        assert flags != END, "a record behind the end record"
        record = index[place : place + 48]
        offset, line, upto, time_us = (number(record[part : part + 8]) for part in (0, 8, 16, 24))
        length, crc = number(record[32:36]), number(record[36:40])
        channel, flags = record[40], record[41]
        data = whole[offset : offset + length]
        assert offset == at
        assert len(data) == length
        assert line == lines
        assert crc == zlib.crc32(record[:36] + record[40:] + data)
        assert channel in (0, 1, 2)
        assert flags in FLAGS
        assert record[42:] == bytes(6)
        if flags == 0:
            assert upto == received + length
        elif flags == DROPPED:  # a body of which something went to the tail, or an extent that came from there
            assert upto >= received if length == 0 else upto == received
        elif flags == NOTICE | DROPPED:  # bytes were lost, or headers are dropped from here on
            assert upto >= received
            assert length
        else:
            assert upto == received
            assert length == 0 or flags == NOTICE
        at, lines, received = offset + length, lines + data.count(b"\n"), upto
        found.append(Extent(offset, line, upto, time_us, channel, flags, data))
    assert at == len(whole)
    return found


def joined(found: list[Extent]) -> list[tuple[int, bytes]]:
    """Return [(channel, bytes), …], neighbours of one channel joined, nothing for empty extents."""
    runs: list[tuple[int, bytes]] = []
    for extent in found:
        if not extent.data:
            continue
        if runs and runs[-1][0] == extent.channel:
            runs[-1] = (extent.channel, runs[-1][1] + extent.data)
        else:
            runs.append((extent.channel, extent.data))
    return runs


def unsealed(file: bytes) -> bytes:
    """Decode a sealed file frame by frame, as its seek table says, with zstd's own command where that is here."""
    frames = [decoded(file[start:stop], size) for start, stop, size in seek_table(file)]
    return b"".join(frames)


def seek_table(file: bytes) -> list[tuple[int, int, int]]:
    """[(start, stop, decoded size), …] of the frames, after zstd's contrib/seekable_format."""
    assert number(file[-4:]) == 0x8F92EAB1
    assert file[-5] == 0, "no checksums in the table: each frame has its own"
    count = number(file[-9:-5])
    table = file[len(file) - 9 - 8 * count - 8 :]
    assert number(table[:4]) == 0x184D2A5E
    assert number(table[4:8]) == len(table) - 8
    frames: list[tuple[int, int, int]] = []
    start = 0
    for place in range(8, 8 + 8 * count, 8):
        stop = start + number(table[place : place + 4])
        size = number(table[place + 4 : place + 8])
        assert size == FRAME_BYTES if place < 8 * count else 0 < size <= FRAME_BYTES
        assert file[start : start + 4] == b"\x28\xb5\x2f\xfd"
        assert file[start + 4] & 0x04, "each frame carries its checksum"
        frames.append((start, stop, size))
        start = stop
    assert start == len(file) - len(table)
    return frames


def decoded(frame: bytes, size: int) -> bytes:
    """Decode one frame, or all of a file, which must come to `size` bytes."""
    if shutil.which("zstd") and size > 4096:  # small ones by the library: a process for each would take the day
        data = subprocess.run(["zstd", "-dcq"], input=frame, check=True, capture_output=True).stdout
    else:
        import zstandard

        data = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)
    assert len(data) == size
    return data
