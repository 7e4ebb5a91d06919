"""A stretch: the records from one checkpoint to the next, with their text. All scanning happens within one."""

import codecs
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from operator import sub

from logviewer.chunkstore.checkpoint import MAX_SILENCES, SUBSETS, Checkpoint, Silence
from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.record import FLAGS_OFFSET, RECORD_BYTES
from logviewer.chunkstore.sgr import MAX_SEQUENCE_BYTES, Pen, pen_after, unfinished_sequence

STRETCH_BYTES = 1024 * 1024
"""A checkpoint comes with the first record that ends this far behind the one before, at most an extent later."""

STRETCH_RECORDS = 1024
"""Or after so many records: short extents must not make a stretch long to read (100 bytes each: 100 KB of text)."""

LONG_RECORDS = 64
"""So many are a stretch if they are of 16 KiB and more; they are read first."""

SILENCE_SECONDS = 5
"""Shorter pauses are a build's breath, and not worth a mark."""

SILENCE_US = SILENCE_SECONDS * 1_000_000
WORDS_PER_RECORD = RECORD_BYTES // 8
LENGTH_WORD = 0xFFFFFFFF
CHANNEL_OFFSET = 40
CRC_OFFSET = 36
UNFINISHED_BYTES = 3
"""The most that a character in UTF-8 can lack its last byte by: what came before has no say in how it goes on."""

LF = 10


class Stretch:
    """Records [first, stop) of a log from checkpoint `begin` on, and their text.

    `offsets` has one entry more than there are records: where the next one begins. `lines` likewise: the LFs before
    each record, and those before the next. `full` says that a checkpoint follows; else the log ends here so far.
    """

    def __init__(self, reader: LogReader, begin: Checkpoint, count: int, size: int) -> None:
        """Read what `begin` is followed by in the first `count` records and `size` bytes. Raises CorruptIndex."""
        self.begin = begin
        first = begin.records
        for records in (min(LONG_RECORDS, STRETCH_RECORDS), STRETCH_RECORDS):
            packed = reader.index.packed(first, min(count, first + records))
            words = struct.unpack(f"<{len(packed) // 8}Q", packed)
            starts = words[0::WORDS_PER_RECORD]
            if starts and starts[-1] >= begin.offset + STRETCH_BYTES:
                break  # long extents: no need to look at more
        ends = [start + (word & LENGTH_WORD) for start, word in zip(starts, words[4::WORDS_PER_RECORD], strict=True)]
        stop = min(len(starts), bisect_left(ends, begin.offset + STRETCH_BYTES) + 1)
        self.full = stop == STRETCH_RECORDS or (stop > 0 and ends[stop - 1] >= begin.offset + STRETCH_BYTES)
        if stop and ends[stop - 1] > size:  # a loss of power took the last bytes of the last extent
            ends[stop - 1] = size
            self.full = False
        self.offsets: list[int] = [begin.offset, *ends[:stop]]
        if list(starts[:stop]) != self.offsets[:-1]:
            raise CorruptIndex(reader.files.index, f"the records from {first} on do not follow each other")
        self.times = words[3 : stop * WORDS_PER_RECORD : WORDS_PER_RECORD]
        self.packed = packed[: stop * RECORD_BYTES]
        self.channels = self.packed[CHANNEL_OFFSET::RECORD_BYTES]
        self.text = reader.read(begin.offset, self.end - begin.offset)
        if len(self.text) < self.end - begin.offset:
            raise CorruptIndex(reader.files.index, f"the text ends at {begin.offset + len(self.text)}: it was cut")
        self.lines: list[int] = [*words[1 : stop * WORDS_PER_RECORD : WORDS_PER_RECORD], begin.newlines]
        if self.lines[0] != begin.newlines:
            raise CorruptIndex(reader.files.index, f"line {begin.newlines + 1} is not where record {first} says")
        if stop:
            self.lines[-1] = self.lines[-2] + self.text.count(b"\n", self.offsets[-2] - begin.offset)
        self._reader = reader

    @property
    def end(self) -> int:
        """The offset of the byte after the stretch."""
        return self.offsets[-1]

    @property
    def newlines(self) -> int:
        """How many LFs lie before the stretch's end."""
        return self.lines[-1]

    def extent(self, place: int) -> bytes:
        """Return the bytes of the record at `place`."""
        return self.text[self.offsets[place] - self.begin.offset : self.offsets[place + 1] - self.begin.offset]

    def place_of(self, offset: int) -> int:
        """Return the place of the record that holds the byte at `offset`, or of the last one at the stretch's end."""
        return min(bisect_left(self.offsets, offset + 1), len(self.offsets) - 1) - 1

    def after_newline(self, number: int) -> int:
        """Return the offset of the byte after the log's LF number `number` (from 1), which lies in this stretch."""
        place = bisect_left(self.lines, number) - 1
        extent = self.extent(place)
        skipped = number - self.lines[place]
        self._check_lines(place)
        if place and place == len(self.channels) - 1:  # what comes after the last record was only counted from it
            self._check_lines(place - 1)
        if number == self.lines[place + 1]:
            return self.offsets[place] + extent.rfind(b"\n") + 1
        return self.offsets[place + 1] - len(extent.split(b"\n", skipped)[-1])

    def _check_lines(self, place: int) -> None:
        """Raise CorruptIndex where a record and the next contradict the record's text."""
        if self.extent(place).count(b"\n") != self.lines[place + 1] - self.lines[place]:
            raise CorruptIndex(
                self._reader.files.index,
                f"the lines of record {self.begin.records + place} are not as its text has them",
            )

    def lines_with(self, mask: int) -> Iterator[range]:
        """Yield the numbers of the lines that end here and have any byte of the channels in `mask`, as ranges."""
        open_line = bool(self.begin.open_channels & mask)
        text, base, lines, offsets = self.text, self.begin.offset, self.lines, self.offsets
        for place, channel in enumerate(self.channels):
            line, stop = lines[place], lines[place + 1]
            if mask >> channel & 1:
                if stop > line:
                    yield range(line + 1, stop + 1)
                if offsets[place + 1] > offsets[place]:
                    open_line = text[offsets[place + 1] - base - 1] != LF
            elif stop > line:
                if open_line:
                    yield range(line + 1, line + 2)
                open_line = False

    def unfinished_before(self, place: int, offset: int, channel: int) -> bytes:
        """Return the bytes of `channel` before `offset`, in the record at `place`, that only begin a character.

        Looks at the channel's last bytes in this stretch, and at what the checkpoint has where these are too few.
        """
        tail = b""
        wanted = bytes([channel])
        stop, end = place + 1, offset
        while len(tail) < UNFINISHED_BYTES and (place := self.channels.rfind(wanted, 0, stop)) >= 0:
            start, end = self.offsets[place], min(end, self.offsets[place + 1])
            tail = self.text[max(start, end - UNFINISHED_BYTES) - self.begin.offset : end - self.begin.offset] + tail
            stop = place
        if len(tail) < UNFINISHED_BYTES:
            tail = self.begin.unfinished[channel] + tail
        return _unfinished_character(tail)

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint at the stretch's end."""
        begin, stop = self.begin, len(self.channels)
        if not stop:
            return begin
        lines, open_channels = self.count_lines()
        written = self._sequence_begun() + self.text[-MAX_SEQUENCE_BYTES:]
        silences = self.silences()
        text_times = self._text_times()
        dropped = self.packed[FLAGS_OFFSET::RECORD_BYTES].strip(b"\0")
        return Checkpoint(
            records=begin.records + stop,
            record_crc=int.from_bytes(self.packed[-RECORD_BYTES + CRC_OFFSET :][:4], "little"),
            offset=self.end,
            newlines=self.newlines,
            omitted=begin.omitted + (self._reader.index.omitted(begin.records, begin.records + stop) if dropped else 0),
            lines=lines,
            open_channels=open_channels,
            unfinished=tuple(self.unfinished_before(stop - 1, self.end, channel) for channel in range(3)),
            sequence=unfinished_sequence(written),
            pen=self.pen_at(self.end),
            time_us=text_times[-1][0] if text_times else begin.time_us,
            silences=len(silences),
            longest=tuple(longest_first(silences, MAX_SILENCES)),
        )

    def pen_at(self, offset: int) -> Pen:
        """Return the pen in force at `offset`."""
        begun = self._sequence_begun()
        return pen_after(
            self.begin.pen, begun + self.text if begun else self.text, len(begun) + offset - self.begin.offset
        )

    def _sequence_begun(self) -> bytes:
        """Return the bytes before the stretch of an escape sequence that may go on in it."""
        return self._reader.read(self.begin.offset - self.begin.sequence, self.begin.sequence)

    def silences(self) -> list[Silence]:
        """Return the silences of at least SILENCE_SECONDS that end in this stretch, in order."""
        found = self._text_times()
        times = [time_us for time_us, _line in found]
        before = [self.begin.time_us if self.begin.time_us >= 0 else times[0], *times[:-1]] if times else []
        if max(map(sub, times, before), default=0) < SILENCE_US:
            return []
        return [
            Silence(line + 1, time_us - earlier)
            for (time_us, line), earlier in zip(found, before, strict=True)
            if time_us - earlier >= SILENCE_US
        ]

    def _text_times(self) -> list[tuple[int, int]]:
        """Return (time, LFs before) of the records that have bytes."""
        return [
            (time_us, line)
            for time_us, line, start, end in zip(self.times, self.lines, self.offsets, self.offsets[1:], strict=False)
            if end > start
        ]

    def count_lines(self) -> tuple[tuple[int, ...], int]:
        """Return what Checkpoint has as `lines` and `open_channels`."""
        ended = [0] * (len(SUBSETS) + 1)  # lines by exactly the channels they have
        mask = self.begin.open_channels
        text, base, lines, offsets = self.text, self.begin.offset, self.lines, self.offsets
        if len(set(self.channels)) == 1:  # as one extent
            lines, offsets = [lines[0], lines[-1]], [offsets[0], offsets[-1]]
        for place in range(len(lines) - 1):
            own, newlines = 1 << self.channels[place], lines[place + 1] - lines[place]
            if newlines:
                ended[mask | own] += 1
                ended[own] += newlines - 1
                mask = 0 if text[offsets[place + 1] - base - 1] == LF else own
            elif offsets[place + 1] > offsets[place]:
                mask |= own
        counts = [
            before + sum(count for channels, count in enumerate(ended) if channels & subset)
            for subset, before in zip(SUBSETS, self.begin.lines, strict=True)
        ]
        return tuple(counts), mask


def longest_first(silences: Iterable[Silence], limit: int) -> list[Silence]:
    """Return the `limit` longest silences, longest first; of two alike the earlier."""
    return nsmallest(limit, silences, key=lambda silence: (-silence.length_us, silence.line))


def _unfinished_character(tail: bytes) -> bytes:
    """Return the bytes at the end of `tail` that a decoder would keep until more comes."""
    if tail.isascii():
        return b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(tail)
    return decoder.getstate()[0]
