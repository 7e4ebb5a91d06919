"""Windows of lines, from anywhere in a log of any size."""

import codecs
from collections.abc import Iterator
from typing import NamedTuple

from logviewer.chunkstore.checkpoint import ALL_CHANNELS, ALL_CHANNELS_MASK, Checkpoint, mask_of
from logviewer.chunkstore.checkpoints import Checkpoints
from logviewer.chunkstore.errors import CorruptIndex
from logviewer.chunkstore.reader import LogReader
from logviewer.chunkstore.stretch import Stretch

MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_LINE_BYTES = 20_000
"""What is longer is cut: nobody reads it in a page, and one line must not fill an answer."""

LINE_BYTES, RUN_BYTES = 32, 16
"""What a line and a run count for besides their text, so that a flood of empty ones is bounded too."""

MAX_STRETCHES = 64
"""Stretches that are looked through for the lines of one answer: 64 MiB of text, where the wanted lines are rare."""

Runs = list[tuple[int, str]]


class Line(NamedTuple):
    """A line without its LF.

    `time_us` is that of the extent of its first byte; `length` its bytes where it was cut after MAX_LINE_BYTES, else
    None; `runs` are [(channel, text), …], neighbours of one channel joined.
    """

    number: int
    time_us: int
    length: int | None
    runs: Runs


class Lines(NamedTuple):
    """A window of lines: `start` and `total` count the lines that the channels asked for have any byte of.

    `complete` says that the log is finished, `sgr` is in force at the first line's start: SGR parameters as
    Pen.parameters has them.
    """

    start: int
    total: int
    complete: bool
    sgr: str
    lines: list[Line]


class Place(NamedTuple):
    """A byte of the log: its offset, in the stretch with that number, in the record at that place there."""

    offset: int
    stretch: int
    record: int


def read_lines(
    reader: LogReader,
    start: int,
    count: int,
    channels: frozenset[int] = ALL_CHANNELS,
    *,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Lines:
    """Return at most `count` lines from number `start` on, -1 being the last; none where that is beyond the end.

    With fewer channels than all, `start` counts the lines that have any byte (LF included) of these, and runs of
    other channels are left out; MAX_LINE_BYTES is of all of a line. Fewer lines come, but one at the least, where
    their text exceeds `max_bytes`, or where they are too rare (MAX_STRETCHES).

    Bytes become text as by a decoder for each channel that read the log from its beginning; a byte that is never
    part of a character is U+FFFD. `sgr` is of the text of all channels in order, as one terminal would have it.

    Costs, whatever the log's size, reading two stretches (of 1 MiB of text at most, an extent more), besides the
    window itself, and for each cut line two more. Raises ValueError for a start of 0, a count below 1, or no
    channels; CorruptIndex.
    """
    if start == 0 or count < 1:
        raise ValueError(f"no window of {count} lines from line {start}")
    return _Window(reader, mask_of(channels)).read(start, count, max_bytes)


def line_range(reader: LogReader, first: int, last: int) -> tuple[int, int]:
    """Return the (start, stop) offsets of lines `first` to `last`, both included, from 1; LFs are part of their lines.

    Beyond the log's end both are its size. Raises ValueError where `first` is below 1 or `last` below `first`.
    """
    if not 1 <= first <= last:
        raise ValueError(f"lines {first} to {last} are no range")
    return reader.line_start(first), reader.line_start(last + 1)


class _Window:
    """Reads lines of the channels in `mask`."""

    def __init__(self, reader: LogReader, mask: int) -> None:
        self._reader = reader
        self._mask = mask
        self._checkpoints = Checkpoints(reader)
        self._size = self._checkpoints.end.size
        self._decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _channel in ALL_CHANNELS]
        self._decoded = -1  # where the decoders stand
        self._clean = -1  # the channel whose decoder keeps nothing there, as a line of it has just ended

    def read(self, start: int, count: int, max_bytes: int) -> Lines:
        """Do what `read_lines` says."""
        total, finished = self._total(), self._checkpoints.end.finished
        if start < 0:
            start = max(1, total + 1 + start)
        answer = Lines(start, total, finished, "", [])
        if start > total:
            return answer
        place, room = Place(-1, 0, 0), max_bytes
        next_number = 0
        for number, at in self._numbers(start, min(count, total + 1 - start)):
            if number != next_number:
                place = self._start_within(at, number)
            if not answer.lines:
                pen = self._checkpoints.stretch(place.stretch).pen_at(place.offset)
                answer = answer._replace(sgr=pen.parameters())
            line, place = self._line(number, place)
            next_number = number + 1
            room -= LINE_BYTES + sum(RUN_BYTES + _size(text) for _channel, text in line.runs)
            if room < 0 and answer.lines:
                break
            answer.lines.append(line)
        return answer

    def _start_of(self, number: int) -> Place:
        """Return where a line starts; the log's end where it has no such line."""
        if number == 1:
            return Place(0, 0, 0)
        if number > self._checkpoints.end.lines:
            return Place(self._size, -1, -1)
        at = self._checkpoints.last_at_most(lambda checkpoint: checkpoint.newlines, number - 2)
        stretch = self._checkpoints.stretch(at)
        if stretch.newlines < number - 1:
            raise CorruptIndex(self._reader.files.index, f"line {number} is not where its record says")
        return _place_of_line(number, at, stretch)

    def _start_within(self, at: int, number: int) -> Place:
        """Return where a line starts that ends in the stretch with number `at`, or in none."""
        stretch = self._checkpoints.stretch(at) if at >= 0 else None
        if stretch and stretch.begin.newlines < number - 1 <= stretch.newlines:
            return _place_of_line(number, at, stretch)
        return self._start_of(number)

    def _total(self) -> int:
        if self._mask == ALL_CHANNELS_MASK:
            return self._checkpoints.end.lines
        lines, open_channels = self._checkpoints.stretch(self._checkpoints.last()).count_lines()
        return lines[self._mask - 1] + bool(open_channels & self._mask)

    def _numbers(self, start: int, count: int) -> Iterator[tuple[int, int]]:
        """Yield the own numbers of lines `start` to `start + count - 1` of the mask; these exist.

        With each comes the number of the stretch that it ends in, -1 where that is not known.
        """
        if self._mask == ALL_CHANNELS_MASK:
            yield from ((number, -1) for number in range(start, start + count))
            return
        for _turn in range(MAX_STRETCHES):
            at = self._checkpoints.last_at_most(self._lines_of, start - 1)
            stretch = self._checkpoints.stretch(at)
            skip = start - 1 - self._lines_of(stretch.begin)
            for numbers in stretch.lines_with(self._mask):
                for number in numbers[skip : skip + count]:
                    yield number, at
                    start += 1
                    count -= 1
                skip = max(0, skip - len(numbers))
            if count and not stretch.full:
                yield stretch.newlines + 1, at
                return
            if not count:
                return

    def _lines_of(self, checkpoint: Checkpoint) -> int:
        return checkpoint.lines_of(self._mask)

    def _line(self, number: int, place: Place) -> tuple[Line, Place]:
        """Read the line that starts at `place`; also return where the next one does."""
        stretch = self._checkpoints.stretch(place.stretch)
        start, at, record = place
        if self._decoded != start:
            self._set_decoders(stretch, record, start)
        elif start < stretch.end and stretch.channels[record] == self._clean:
            # most lines: within one extent, behind one that ended in the same channel
            base = stretch.begin.offset
            stop = min(stretch.offsets[record + 1], start + MAX_LINE_BYTES + 1)
            feed = stretch.text.find(b"\n", start - base, stop - base)
            if feed >= 0:
                text = stretch.text[start - base : feed].decode(errors="replace")
                self._decoded = base + feed + 1
                line = Line(number, stretch.times[record], None, [(self._clean, text)] if text else [])
                return line, Place(self._decoded, at, record)
        runs: Runs = []
        self._clean = time_us = -1
        position, room = start, MAX_LINE_BYTES
        while position < self._size:
            if position == stretch.end:
                at, record = at + 1, 0
                stretch = self._checkpoints.stretch(at)
            stop = stretch.offsets[record + 1]
            if position == stop:  # a record without bytes, or at its end
                record += 1
                continue
            if time_us < 0:
                time_us = stretch.times[record]
            base = stretch.begin.offset
            channel = stretch.channels[record]
            limit = min(stop, position + room)
            feed = stretch.text.find(b"\n", position - base, min(stop, limit + 1) - base)
            end = limit if feed < 0 else base + feed
            self._add(runs, channel, stretch.text[position - base : end - base], feed >= 0)
            room -= end - position
            position = end
            if feed >= 0:
                self._decoded, self._clean = end + 1, channel if self._mask >> channel & 1 else -1
                return Line(number, time_us, None, runs), Place(end + 1, at, record)
            if end < stop:
                after = self._start_of(number + 1)
                length = after.offset - start - self._newline_before(after.offset)
                return Line(number, time_us, length, runs), after
        if self._checkpoints.end.finished:
            for channel in sorted(ALL_CHANNELS):
                self._add(runs, channel, b"", True)
        return Line(number, time_us, None, runs), Place(self._size, -1, -1)

    def _newline_before(self, offset: int) -> bool:
        return self._reader.read(offset - 1, 1) == b"\n"

    def _set_decoders(self, stretch: Stretch, record: int, offset: int) -> None:
        """Put the decoders where they would be after all that lies before `offset`."""
        for channel, decoder in enumerate(self._decoders):
            if not self._mask >> channel & 1:
                continue
            decoder.setstate((stretch.unfinished_before(record, offset, channel), 0))

    def _add(self, runs: Runs, channel: int, data: bytes, final: bool) -> None:
        """Add a channel's bytes; `final` says that no character goes on behind them."""
        if not self._mask >> channel & 1:
            return
        text = self._decoders[channel].decode(data, final)
        if not text:
            return
        if runs and runs[-1][0] == channel:
            text = runs.pop()[1] + text
        runs.append((channel, text))


def _size(text: str) -> int:
    """Return a text's bytes."""
    return len(text) if text.isascii() else len(text.encode())


def _place_of_line(number: int, at: int, stretch: Stretch) -> Place:
    """Return where a line starts whose LF before it lies in this stretch."""
    offset = stretch.after_newline(number - 1)
    return Place(offset, at, stretch.place_of(offset))
