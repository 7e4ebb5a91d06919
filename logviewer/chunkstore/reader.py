"""Reading a log by offset, while it grows or long after. Nothing here writes or locks."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from logviewer.chunkstore.damage import damage_at, fitting_records, whole_record_at
from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.index import LINE, OFFSET, SLAB_RECORDS, Index
from logviewer.chunkstore.keys import LogFiles
from logviewer.chunkstore.marks_file import MarksFile
from logviewer.chunkstore.record import HEADER_BYTES, RECORD, RECORD_BYTES, Flags
from logviewer.chunkstore.sealed import SealedText
from logviewer.chunkstore.shapes import Frame, FrameView, LogEnd, Position
from logviewer.chunkstore.sources import LocalFile, Source

FRAME_BYTES = 128 * 1024
FRAME_RUNS = 4096
US_PER_MS = 1000
FAR_RECORDS = 4096
"""More than a stretch has, so that behind the last checkpoint there are rarely as many."""

Reading = Callable[[int, int], bytes | memoryview]
"""Text from an offset, of a length."""

NOWHERE = (-1, 0, 0)
"""A cursor that no offset matches."""


class LogReader:
    """An open log for reading: positioned reads of index and text, no mapping. For one thread at a time.

    It stays valid while the log grows, and after it was deleted. Where the text is shorter than the index says
    (after a loss of power, before the log is next opened for appending) the log ends where its text ends.
    Every method may raise CorruptIndex, which says where reading can go on.
    """

    def __init__(
        self, files: LogFiles, index: Source, text: Source, open_marks: Callable[[], Source] | None = None
    ) -> None:
        """Take over index and text. `open_marks` opens the marks where they are not local; FileNotFoundError: none."""
        self.files = files
        self._marks: MarksFile | None = None
        self._open_marks = open_marks or self._open_local_marks
        self._text = text
        self._index = Index(files.index, index)
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
        """Close index, text and marks."""
        self._index.source.close()
        self._text.close()
        if self._marks is not None:
            self._marks.source.close()

    @property
    def index(self) -> Index:
        """The log's index, for who reads record by record."""
        return self._index

    @property
    def records(self) -> int:
        """How many records the log had when it was last looked at, as `end` does."""
        return self._count

    def is_local(self) -> bool:
        """Say whether the log's index lies on this machine, so that marks can be kept beside it."""
        return isinstance(self._index.source, LocalFile)

    def is_deleted(self) -> bool:
        """Say whether the log was deleted since it was opened."""
        source = self._index.source
        return isinstance(source, LocalFile) and not os.fstat(source.fd).st_nlink

    def marks(self) -> MarksFile | None:
        """Return the log's marks, which may be behind or damaged; None where there are none yet."""
        if self._marks is None and self._count:
            try:
                self._marks = MarksFile(self._open_marks(), self._index)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                return None
        return self._marks

    def use_marks(self, marks: MarksFile) -> None:
        """Use other marks from now on; they are closed with the reader."""
        if self._marks is not None:
            self._marks.source.close()
        self._marks = marks

    @property
    def sealed(self) -> Source | None:
        """The sealed file as it lies, for who takes Zstandard; None while the text is plain. Good until `close`."""
        return self._text.source if isinstance(self._text, SealedText) else None

    def file(self) -> Path | None:
        """Return where the text lies as it is, or sealed; None where that is not one file here that is just the text.

        It was there when the reader was opened: sealing, moving and deleting may have taken it away since.
        """
        sealed = self.sealed
        if sealed is not None:
            return self.files.sealed if isinstance(sealed, LocalFile) else None
        is_whole = isinstance(self._text, LocalFile) and self._text.size() == self.end().size
        return self.files.text if is_whole else None

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
        return Position(self.line_start(line), line)

    def line_start(self, line: int) -> int:
        """Return the offset at which line number `line`, from 1, begins; the log's end where it has no such line."""
        if line > self.end().lines:
            return self._size
        newlines = line - 1
        if not newlines:
            return 0
        record = self._index.record(max(0, self._index.last_at_most(LINE, newlines - 1, self._count)))
        extent = self._text.read(record.offset, min(record.end, self._size) - record.offset)
        pieces = extent.split(b"\n", newlines - record.line)
        if len(pieces) <= newlines - record.line:
            raise CorruptIndex(self.files.index, f"line {line} is not where its record says")
        return record.offset + len(extent) - len(pieces[-1])

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the text without a look at the index; fewer where the text ends."""
        return self._text.read(offset, length)

    def frame(
        self, offset: int, *, max_bytes: int = FRAME_BYTES, max_runs: int = FRAME_RUNS, precision_us: int = US_PER_MS
    ) -> Frame | None:
        """Return what lies from `offset` on: at least one byte, or None at the end.

        At most `max_bytes` (≥ 1) and `max_runs` (≥ 1). It ends between two extents where one fits, else within one.
        Neighbours of one channel are one run where their times, divided by `precision_us` (≥ 1), are the same.
        """
        found = self._frame(offset, max_bytes, max_runs, precision_us, self._text.read)
        return found.frame() if found else None

    def frame_now(self, offset: int, *, max_bytes: int, max_runs: int) -> FrameView | None:
        """Return what `frame` returns, if its text can be had without waiting for a disk; None where nobody knows.

        None at the end, too.
        """
        # The index, of which any record may be needed as well, lies on a disk of this machine or beyond a network. The
        # text is asked first: where that is not in memory the records need not be either, and are for a thread to read.
        if self._text.read_now(offset, 1) is None or self._index.source.read_now(0, HEADER_BYTES) is None:
            return None
        try:
            return self._frame(offset, max_bytes, max_runs, US_PER_MS, self._text_now)
        except _MustWait:
            return None

    def _text_now(self, offset: int, length: int) -> bytes | memoryview:
        data = self._text.read_now(offset, length)
        if data is None:
            raise _MustWait
        return data

    def _frame(self, offset: int, max_bytes: int, max_runs: int, precision_us: int, read: Reading) -> FrameView | None:
        if offset < 0 or max_bytes < 1 or max_runs < 1:
            raise ValueError(f"no frame from offset {offset} of {max_bytes} bytes and {max_runs} runs")
        self._look()
        if offset >= self._size:
            return None
        limit = min(max_bytes, self._size - offset)
        next_offset, number, newlines = self._next
        frame = None
        if offset == next_offset:
            frame = self._gather(offset, number, newlines, limit, max_runs, precision_us, read)
        if frame is None:  # not where the last frame ended, or the log was cut and written anew meanwhile
            frame = self._gather(offset, *self._locate(offset), limit, max_runs, precision_us, read)
        if frame is None:
            self._look()
            if offset < self._size:
                raise damage_at(self._index, self._text, self._count, offset)
        return frame

    def _gather(
        self, offset: int, number: int, newlines: int, limit: int, max_runs: int, precision_us: int, read: Reading
    ) -> FrameView | None:
        """Collect runs from record `number` on, `newlines` LFs lying before `offset`, and read their bytes at once.

        None where no record carries on from `offset`; a negative `newlines` is to be taken from the record.
        """
        runs: list[tuple[int, int, int]] = []
        first_line, within = newlines, False
        position, piece, piece_line, stop = offset, offset, newlines, offset + limit
        channel, run_time, run_us, run_length = -1, -1, 0, 0
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
            if next_channel != channel or time_us // precision_us != run_time:
                if run_length:
                    runs.append((channel, run_length, run_us))
                    run_length = 0
                    if len(runs) == max_runs:
                        within = False
                        break
                channel, run_us, run_time = next_channel, time_us, time_us // precision_us
            run_length += end - position
            piece, piece_line, position = position, line, end
            if within:
                break
            number += 1
        if run_length:
            runs.append((channel, run_length, run_us))
        if position == offset:
            return None
        data = read(offset, position - offset)
        if len(data) < position - offset:  # cut by a writer that repairs; the next look says how far
            self._next = NOWHERE
            return FrameView(offset, first_line + 1, _first_runs(runs, len(data)), data) if data else None
        if number < 0:
            self._next = NOWHERE
        else:
            newlines = piece_line + bytes(data[piece - offset :]).count(b"\n") if within else -1
            self._next = (position, number, newlines)
        return FrameView(offset, first_line + 1, runs, data)

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
        sizes = self._index.source.size(), self._text.size()
        if sizes == self._sizes:
            return
        count = max(0, sizes[0] - HEADER_BYTES) // RECORD_BYTES
        if count < self._omitted_records or sizes[1] < self._size:  # cut by a writer that repairs
            self._omitted_records = self._omitted = 0
            self._next = NOWHERE
        count = fitting_records(self._index, self._text, count)
        size = self._index.record(count - 1).end if count else 0
        if size > sizes[1]:
            size = sizes[1]
            count = self._index.last_at_most(OFFSET, size - 1, count) + 1
        self._sizes, self._count, self._size = sizes, count, size
        self._slab = b""
        self._end_is_fresh = False

    def _read_end(self) -> LogEnd:
        """Read what `end` answers from the last record and its extent."""
        if not self._count:
            return LogEnd(0, 0, 0, False, 0, None)
        if self._count - self._omitted_records > FAR_RECORDS:
            self._skip_to_marks()
        self._omitted += self._index.omitted(self._omitted_records, self._count)
        self._omitted_records = self._count
        last = self._index.record(self._count - 1)
        extent = self._text.read(last.offset, self._size - last.offset)
        last_byte = extent[-1:] or (self._text.read(self._size - 1, 1) if self._size else b"\n")
        lines = last.line + extent.count(b"\n") + (last_byte != b"\n")
        missing = last.end - self._size if last.received_length else 0
        finished = bool(last.flags & Flags.END)
        return LogEnd(self._size, lines, last.received - missing, finished, self._omitted, last.time_us)

    def _skip_to_marks(self) -> None:
        """Take from the marks what was omitted up to there, for reading all records takes a second for 1 GB of them."""
        marks = self.marks()
        number = marks.count_within(self._count, self._size) if marks else 0
        checkpoint = marks.read(number - 1) if marks and number else None
        if checkpoint is not None and checkpoint.records > self._omitted_records:
            self._omitted, self._omitted_records = checkpoint.omitted, checkpoint.records

    def _open_local_marks(self) -> Source:
        return LocalFile(os.open(self.files.marks, os.O_RDONLY | os.O_CLOEXEC))

    def _locate(self, offset: int) -> tuple[int, int]:
        """Return the number of the record that holds `offset` (or ends there, at the end), and the LFs before it."""
        number = self._index.last_at_most(OFFSET, offset, self._count)
        if number < 0 and not self._count:
            return 0, 0
        record = self._index.record(max(0, number))
        if not (record.offset <= offset < record.end or offset == record.end == self._size):
            number, record = whole_record_at(self._index, self._text, self._count, offset)
        return number, record.line + self._text.read(record.offset, offset - record.offset).count(b"\n")


class _MustWait(Exception):
    """The text is not in memory."""


def _first_runs(runs: list[tuple[int, int, int]], size: int) -> list[tuple[int, int, int]]:
    """Return the runs of the first `size` bytes."""
    kept: list[tuple[int, int, int]] = []
    for channel, length, time_us in runs:
        if size <= 0:
            break
        kept.append((channel, min(length, size), time_us))
        size -= length
    return kept
