"""Reading a log by offset, while it grows or long after. Nothing here writes or locks."""

import os
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from logviewer.chunkstore.errors import CorruptIndex, NoSuchLog
from logviewer.chunkstore.index import LINE, OFFSET, SLAB_RECORDS, Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.record import HEADER_BYTES, RECORD, RECORD_BYTES, Flags, Record, crc_of_fields, unpack_record
from logviewer.chunkstore.shapes import Frame, LogEnd, Position

FRAME_BYTES = 128 * 1024
FRAME_RUNS = 4096
US_PER_MS = 1000
NOWHERE = (-1, 0, 0)
"""A cursor that no offset matches."""


class LogReader:
    """An open log for reading: two descriptors, positioned reads, no mapping. For one thread at a time.

    It stays valid while the log grows, and after it was deleted. Where the text is shorter than the index says
    (after a loss of power, before the log is next opened for appending) the log ends where its text ends.
    Every method may raise CorruptIndex, which says where reading can go on.
    """

    def __init__(self, files: LogFiles) -> None:
        self.files = files
        self._text_fd = self._index_fd = -1
        try:
            self._index_fd = os.open(files.index, os.O_RDONLY | os.O_CLOEXEC)
            self._text_fd = os.open(files.text, os.O_RDONLY | os.O_CLOEXEC)
            if os.fstat(self._index_fd).st_size < HEADER_BYTES and not os.fstat(self._text_fd).st_size:
                raise FileNotFoundError(files.index)  # being created this moment
            self._index = Index(files.index, self._index_fd)
            self._index.synced()
        except (FileNotFoundError, NotADirectoryError):
            self.close()
            raise NoSuchLog(files.key) from None
        except BaseException:
            self.close()
            raise
        self._count = 0
        self._size = 0
        self._sizes = (-1, -1)
        self._end = LogEnd(0, 0, 0, False, 0, None)
        self._end_is_fresh = False
        self._omitted_records = self._omitted = 0
        self._next = (0, 0, 0)  # offset after the last frame; the record it lies in or before; LFs before it
        self._slab = b""
        self._slab_first = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        # Made on a worker thread for a task that was cancelled meanwhile, a reader reaches nobody who could close it.
        self.close()

    def close(self) -> None:
        """Close both files."""
        for fd in (self._index_fd, self._text_fd):
            if fd >= 0:
                os.close(fd)
        self._index_fd = self._text_fd = -1

    def has_unsynced_records(self) -> bool:
        """Say whether a crash may have left records here that recovery would cut."""
        return self._index.synced() < self._index.count()

    def end(self) -> LogEnd:
        """Return where the log stands now. Two fstat where it has not moved."""
        self._look()
        if not self._end_is_fresh:
            self._end = self._read_end()
            self._end_is_fresh = True
        return self._end

    def position(self, offset: int) -> Position:
        """Return the line of the byte at `offset`, or of the next byte to come where that is the log's end.

        ValueError where `offset` is negative or beyond the end.
        """
        self._look()
        if not 0 <= offset <= self._size:
            raise ValueError(f"offset {offset} is not within the {self._size} bytes of {self.files.key}")
        _number, newlines = self._locate(offset)
        return Position(offset, newlines + 1)

    def tail(self, lines: int) -> Position:
        """Return where the last `lines` lines start, as `tail -n` counts them; 0 is the end."""
        if lines < 0:
            raise ValueError(f"{lines} is no number of lines")
        end = self.end()
        if lines == 0:
            return self.position(end.size)
        line = max(1, end.lines - lines + 1)
        return Position(self._line_start(line), line)

    def is_in_memory(self, offset: int, length: int) -> bool:
        """Say whether these bytes of the text can be read without waiting for a disk; False where nobody knows."""
        try:
            return os.preadv(self._text_fd, [bytearray(length)], offset, os.RWF_NOWAIT) == length
        except (OSError, AttributeError):  # they are not, or this system or file system cannot tell
            return False

    def frame(self, offset: int, *, max_bytes: int = FRAME_BYTES, max_runs: int = FRAME_RUNS) -> Frame | None:
        """Return what lies from `offset` on: at least one byte, or None at the end.

        At most `max_bytes` (≥ 1) and `max_runs` (≥ 1). It ends between two extents where one fits, else within one.
        """
        if offset < 0 or max_bytes < 1 or max_runs < 1:
            raise ValueError(f"no frame from offset {offset} of {max_bytes} bytes and {max_runs} runs")
        self._look()
        if offset >= self._size:
            return None
        limit = min(max_bytes, self._size - offset)
        next_offset, number, newlines = self._next
        frame = self._gather(offset, number, newlines, limit, max_runs) if offset == next_offset else None
        if frame is None:  # not where the last frame ended, or the log was cut and written anew meanwhile
            frame = self._gather(offset, *self._locate(offset), limit, max_runs)
        if frame is None:
            self._look()
            if offset < self._size:
                raise self._damage(offset)
        return frame

    def _gather(self, offset: int, number: int, newlines: int, limit: int, max_runs: int) -> Frame | None:
        """Collect runs from record `number` on, `newlines` LFs lying before `offset`, and read their bytes at once.

        None where no record carries on from `offset`; a negative `newlines` is to be taken from the record.
        """
        runs: list[tuple[int, int, int]] = []
        first_line, within = newlines, False
        position, piece, piece_line, stop = offset, offset, newlines, offset + limit
        channel, run_ms, run_us, run_length = -1, -1, 0, 0
        for start, line, _received, time_us, length, _crc, next_channel, _flags in self._records(number):
            end = start + length
            if end <= position:  # before the offset, or without bytes
                number += 1
                continue
            if start != position:
                if position > offset or start > offset or newlines < 0:
                    number = -1
                    break
                line = newlines
            if end > stop:
                if position > offset:
                    break
                end, within = stop, True
            if position == offset:
                first_line = line
            if next_channel != channel or time_us // US_PER_MS != run_ms:
                if run_length:
                    runs.append((channel, run_length, run_us))
                    run_length = 0
                    if len(runs) == max_runs:
                        within = False
                        break
                channel, run_us, run_ms = next_channel, time_us, time_us // US_PER_MS
            run_length += end - position
            piece, piece_line, position = position, line, end
            if within:
                break
            number += 1
        if run_length:
            runs.append((channel, run_length, run_us))
        if position == offset:
            return None
        data = os.pread(self._text_fd, position - offset, offset)
        if len(data) < position - offset:  # cut by a writer that repairs; the next look says how far
            self._next = NOWHERE
            return Frame(offset, first_line + 1, _first_runs(runs, len(data)), data) if data else None
        if number < 0:
            self._next = NOWHERE
        else:
            self._next = (position, number, piece_line + data.count(b"\n", piece - offset) if within else -1)
        return Frame(offset, first_line + 1, runs, data)

    def _records(self, number: int) -> Iterator[tuple[int, ...]]:
        """Yield the fields of the records from `number` on, from a slab that is kept from frame to frame."""
        while number < self._count:
            place = (number - self._slab_first) * RECORD_BYTES
            if not 0 <= place < len(self._slab):
                self._slab = self._index.packed(number, min(self._count, number + SLAB_RECORDS))
                self._slab_first, place = number, 0
                if not self._slab:
                    return
            yield from RECORD.iter_unpack(memoryview(self._slab)[place:])
            number = self._slab_first + len(self._slab) // RECORD_BYTES

    def _look(self) -> None:
        """See how far the log goes now."""
        # the index first: the text, which grows before it, is then never the one that is behind
        sizes = os.fstat(self._index_fd).st_size, os.fstat(self._text_fd).st_size
        if sizes == self._sizes:
            return
        count = max(0, sizes[0] - HEADER_BYTES) // RECORD_BYTES
        if count < self._omitted_records or sizes[1] < self._size:  # cut by a writer that repairs
            self._omitted_records = self._omitted = 0
            self._next = NOWHERE
        if not self._follows(count - 1):
            count = self._first_unfitting(count)
        size = self._index.record(count - 1).end if count else 0
        if size > sizes[1]:
            size = sizes[1]
            count = self._index.last_at_most(OFFSET, size - 1, count) + 1
        self._sizes, self._count, self._size = sizes, count, size
        self._slab = b""
        self._end_is_fresh = False

    def _follows(self, number: int) -> bool:
        """Say whether a record begins where the one before it ends."""
        if number < 0:
            return True
        end = self._index.record(number - 1).end if number else 0
        return _fits(self._index.packed(number, number + 1), end)

    def _first_unfitting(self, count: int) -> int:
        """Return how many records fit together: behind `synced` a loss of power may have left anything."""
        number = max(0, min(self._index.synced(), count) - 1)
        end = self._index.record(number - 1).end if number else 0
        for _first, slab in self._index.slabs(number, count):
            for place in range(0, len(slab), RECORD_BYTES):
                packed = slab[place : place + RECORD_BYTES]
                if not _fits(packed, end):
                    return number
                end = unpack_record(packed).end
                number += 1
        return number

    def _read_end(self) -> LogEnd:
        """Read what `end` answers from the last record and its extent."""
        if not self._count:
            return LogEnd(0, 0, 0, False, 0, None)
        self._omitted += self._index.omitted(self._omitted_records, self._count)
        self._omitted_records = self._count
        last = self._index.record(self._count - 1)
        extent = os.pread(self._text_fd, self._size - last.offset, last.offset)
        last_byte = extent[-1:] or (os.pread(self._text_fd, 1, self._size - 1) if self._size else b"\n")
        lines = last.line + extent.count(b"\n") + (last_byte != b"\n")
        missing = 0 if last.flags & Flags.NOTICE else last.end - self._size
        finished = bool(last.flags & Flags.END)
        return LogEnd(self._size, lines, last.received - missing, finished, self._omitted, last.time_us)

    def _locate(self, offset: int) -> tuple[int, int]:
        """Return the number of the record that holds `offset` (or ends there, at the end), and the LFs before it."""
        number = self._index.last_at_most(OFFSET, offset, self._count)
        if number < 0 and not self._count:
            return 0, 0
        record = self._index.record(max(0, number))
        if not (record.offset <= offset < record.end or offset == record.end == self._size):
            number, record = self._search(offset)
        return number, record.line + os.pread(self._text_fd, offset - record.offset, record.offset).count(b"\n")

    def _search(self, offset: int) -> tuple[int, Record]:
        """Find a whole record that holds `offset`, one by one: a damaged one led the binary search astray."""
        for number, record in enumerate(self._index.records(0, self._count)):
            if record.offset <= offset < record.end and self._is_whole(number, record):
                return number, record
        raise self._damage(offset)

    def _is_whole(self, number: int, record: Record) -> bool:
        """Say whether a record's CRC is right."""
        extent = os.pread(self._text_fd, min(record.length, self._size), min(record.offset, self._size))
        packed = self._index.packed(number, number + 1)
        return zlib.crc32(extent, crc_of_fields(packed)) == record.crc32

    def _damage(self, offset: int) -> CorruptIndex:
        """Return the error for a place that no whole record covers, with where the next one begins."""
        resume = next(
            (
                record.offset
                for number, record in enumerate(self._index.records(0, self._count))
                if record.offset > offset and record.length and self._is_whole(number, record)
            ),
            None,
        )
        return CorruptIndex(self.files.index, f"no whole record covers byte {offset} of the text", resume)

    def _line_start(self, line: int) -> int:
        """Return the offset of the first byte of line number `line`, which the log has."""
        newlines = line - 1
        if not newlines:
            return 0
        record = self._index.record(max(0, self._index.last_at_most(LINE, newlines - 1, self._count)))
        extent = os.pread(self._text_fd, min(record.end, self._size) - record.offset, record.offset)
        pieces = extent.split(b"\n", newlines - record.line)
        if len(pieces) <= newlines - record.line:
            raise CorruptIndex(self.files.index, f"line {line} is not where its record says")
        return record.offset + len(extent) - len(pieces[-1])


def _fits(packed: bytes, end: int) -> bool:
    """Say whether a record begins at `end`; one without bytes, which zeros would pass for, must also have its CRC."""
    record = unpack_record(packed)
    return record.offset == end and (record.length > 0 or record.crc32 == crc_of_fields(packed))


def _first_runs(runs: list[tuple[int, int, int]], size: int) -> list[tuple[int, int, int]]:
    """Return the runs of the first `size` bytes."""
    kept: list[tuple[int, int, int]] = []
    for channel, length, time_us in runs:
        if size <= 0:
            break
        kept.append((channel, min(length, size), time_us))
        size -= length
    return kept
