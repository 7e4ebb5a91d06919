"""The sealed text: Zstandard's seekable format, frames of 1 MiB and a table of them at the end (ADR 8).

As zstd's `contrib/seekable_format` has it, version 0.1.0; all numbers are little-endian u32 unless said otherwise:

- independent Zstandard frames, each of FRAME_BYTES of text but the last, with their content's size and checksum;
- one skippable frame, the seek table: magic 0x184D2A5E; the bytes that follow; for each frame its compressed size and
  its decoded size; then the footer: the number of frames, a byte of flags (0 here), magic 0x8F92EAB1.

An empty text has no frames. `zstd -d` restores any of it, as it passes over skippable frames. Read here is any file of
the format whose frames are all of one size, the last excepted, and that is at most FRAME_BYTES.
"""

import struct
import sys
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate

import zstandard

from logviewer.chunkstore.errors import CorruptSealed
from logviewer.chunkstore.sources import Source

FRAME_BYTES = 1024 * 1024
"""What is decoded to reach any byte: 0.8 ms. Larger frames hardly compress better (measured: 3.96 against 4.0)."""

LEVEL = 3
"""zstd's own default; what others cost is in ADR 8."""

MAX_FRAMES = 1024 * 1024
"""1 TiB of text, a table of 8 MiB: bounds what a damaged footer can make a reader allocate."""

CACHED_FRAMES = 2
"""A window of lines lies in one frame, or over the border of two; 2 MiB a reader at most."""

TAIL_BYTES = 64 * 1024
"""Read at once from the end: the whole table up to 8 GB of text, so that another store is asked once, not twice."""

TABLE_MAGIC = 0x184D2A5E
FOOTER_MAGIC = 0x8F92EAB1
TABLE_HEADER = struct.Struct("<II")
FOOTER = struct.Struct("<IBI")
CHECKSUM_FLAG = 0x80
RESERVED_FLAGS = 0x7C
NUMBER_BYTES = 4
MIN_FILE_BYTES = TABLE_HEADER.size + FOOTER.size


def compress_frame(text: bytes) -> bytes:
    """Return a frame of at most FRAME_BYTES of text. Lets other threads run meanwhile."""
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True).compress(text)


def pack_seek_table(sizes: Sequence[int]) -> bytes:
    """Return the table that ends a sealed file; `sizes` are the compressed and the decoded bytes of each frame."""
    entries = array("I", sizes)
    if sys.byteorder == "big":
        entries.byteswap()
    body_bytes = len(entries) * NUMBER_BYTES + FOOTER.size
    footer = FOOTER.pack(len(entries) // 2, 0, FOOTER_MAGIC)
    return TABLE_HEADER.pack(TABLE_MAGIC, body_bytes) + entries.tobytes() + footer


class SealedText:
    """The text of a sealed file as a Source of its decoded bytes; `source` is the file as it lies.

    The seek table is read and checked when it is made, frames when they are read: every method may raise
    CorruptSealed. `name` is the file's, for errors. For one thread at a time, but for `decode`.
    """

    def __init__(self, source: Source, name: str) -> None:
        self.source = source
        self.name = name
        compressed, decoded = self._read_table()
        self._ends = array("Q", accumulate(compressed))  # each frame's end in the file
        self._frame_bytes = decoded[0] if decoded else FRAME_BYTES
        self._size = sum(decoded)
        self._cache: OrderedDict[int, bytes] = OrderedDict()

    @property
    def frames(self) -> int:
        """The number of frames."""
        return len(self._ends)

    def size(self) -> int:
        """Return the size of the text."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes of the text from `offset` on, fewer at its end. Decodes the frames they lie in."""
        end = min(offset + length, self._size)
        pieces = []
        while offset < end:
            number, place = divmod(offset, self._frame_bytes)
            piece = self._frame(number)[place : place + end - offset]
            pieces.append(piece)
            offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_now(self, offset: int, length: int) -> bytes | memoryview | None:
        """Return these bytes if the frames that hold them are decoded already."""
        end = min(offset + length, self._size)
        numbers = range(offset // self._frame_bytes, -(-end // self._frame_bytes))
        if len(numbers) > CACHED_FRAMES or not all(number in self._cache for number in numbers):
            return None
        if len(numbers) == 1:
            place = offset - numbers[0] * self._frame_bytes
            return memoryview(self._frame(numbers[0]))[place : place + length]
        return self.read(offset, length)

    def close(self) -> None:
        """Close the sealed file and let go of decoded frames."""
        self._cache.clear()
        self.source.close()

    def decode(self, number: int) -> bytes:
        """Return the text of a frame, from the file in any case. For any number of threads, as the source allows."""
        start = self._ends[number - 1] if number else 0
        frame = self.source.read(start, self._ends[number] - start)
        expected = min(self._frame_bytes, self._size - number * self._frame_bytes)
        try:
            if zstandard.frame_content_size(frame) != expected:  # looked at first: it says how much is allocated
                raise CorruptSealed(self.name, f"frame {number} is not of {expected} bytes, as the seek table has it")
            text = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CorruptSealed(self.name, f"frame {number} cannot be decoded: {error}") from None
        if len(text) != expected:
            raise CorruptSealed(self.name, f"frame {number} has {len(text)} bytes, the seek table says {expected}")
        return text

    def _frame(self, number: int) -> bytes:
        """Return a frame's text, kept for the next read."""
        text = self._cache.get(number)
        if text is None:
            text = self.decode(number)
            if len(self._cache) == CACHED_FRAMES:
                self._cache.popitem(last=False)
            self._cache[number] = text
        else:
            self._cache.move_to_end(number)
        return text

    def _read_table(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the compressed and the decoded sizes of all frames, checked against the file and each other."""
        file_size = self.source.size()
        tail = self.source.read(max(0, file_size - TAIL_BYTES), TAIL_BYTES)
        if file_size < MIN_FILE_BYTES or len(tail) < min(file_size, TAIL_BYTES):
            raise CorruptSealed(self.name, f"its {file_size} bytes are too few for a seek table")
        count, flags, magic = FOOTER.unpack(tail[-FOOTER.size :])
        if magic != FOOTER_MAGIC or flags & RESERVED_FLAGS:
            raise CorruptSealed(self.name, "it does not end in a seek table: it was cut, or is no sealed file")
        numbers = 3 if flags & CHECKSUM_FLAG else 2  # the checksums are not looked at: the frames have their own
        table_size = MIN_FILE_BYTES + count * numbers * NUMBER_BYTES
        if count > MAX_FRAMES or table_size > file_size:
            raise CorruptSealed(self.name, f"its seek table has {count} frames, which cannot be")
        table = tail[-table_size:] if table_size <= len(tail) else self.source.read(file_size - table_size, table_size)
        if len(table) < table_size or TABLE_HEADER.unpack_from(table) != (TABLE_MAGIC, table_size - TABLE_HEADER.size):
            raise CorruptSealed(self.name, "the header of its seek table is damaged")
        fields = array("I", table[TABLE_HEADER.size : -FOOTER.size])
        if sys.byteorder == "big":
            fields.byteswap()
        compressed, decoded = fields[::numbers], fields[1::numbers]
        if sum(compressed) + table_size != file_size or 0 in compressed:
            raise CorruptSealed(self.name, "its seek table is of another file: the frames' sizes do not add up")
        if decoded and not (0 < decoded[-1] <= decoded[0] <= FRAME_BYTES and set(decoded[:-1]) <= {decoded[0]}):
            raise CorruptSealed(self.name, f"the frames in its seek table are not all of one size up to {FRAME_BYTES}")
        return compressed, decoded
