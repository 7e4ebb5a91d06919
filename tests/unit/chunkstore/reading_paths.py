"""All ways in which a log can be read, each compared with what an independent reading of its files has found."""

import asyncio
import codecs
import gzip
import io
import random
from unittest import mock

from logviewer.chunkstore import ChunkStore, Frame, LogEnd, LogReader
from logviewer.chunkstore.lines import MAX_LINE_BYTES, line_range, read_lines
from logviewer.doors import chunk_pages, pieces
from logviewer.insight.query import Query
from logviewer.insight.search import search_log
from logviewer.live import ConsumerMixin, LogFileProducer
from logviewer.live import store as live_store
from logviewer.upkeep.exporting import export_log
from tests.independent_reader import Log
from tests.unit.chunkstore.logs import joined

ALL = frozenset({0, 1, 2})
CHOICES = [ALL, frozenset({0}), frozenset({1}), frozenset({0, 1}), frozenset({2})]
LITERAL = "a line"
"""Searched for; the logs of the model have it in many of their lines."""

Piece = tuple[int, int, bytes]
"""(channel, time in µs, bytes)"""


def check_all(store: ChunkStore, key: str, log: Log, chance: random.Random) -> None:
    """Read the log in every way that needs no event loop."""
    with store.reader(key) as reader:
        check_frames(reader, log, chance)
        check_places(reader, log, chance)
        check_lines(reader, log, chance)
        check_chunk_pages(reader, log, chance)
        check_raw(reader, log, chance)
        check_export(reader, log)
        check_search(reader, log)


def pieces_of(log: Log) -> list[Piece]:
    return [(extent.channel, extent.time_us, extent.data) for extent in log.extents if extent.data]


def bytes_from(found: list[Piece], start: int, stop: int) -> list[tuple[int, bytes]]:
    """The runs of [start, stop) of the text."""
    runs: list[tuple[int, bytes]] = []
    at = 0
    for channel, _time_us, data in found:
        runs.append((channel, data[max(0, start - at) : max(0, stop - at)]))
        at += len(data)
    return joined(runs)


def check_frames(reader: LogReader, log: Log, chance: random.Random) -> None:
    """From anywhere, of any size: the bytes, their channels, the number of the first line."""
    size = len(log.text)
    for _turn in range(4):
        offset = chance.randint(0, size)
        frame = reader.frame(offset, max_bytes=chance.choice([1, 100, 100_000]), max_runs=chance.choice([1, 3, 4096]))
        assert (frame is None) == (offset == size)
        if frame is None:
            continue
        assert (frame.offset, frame.line) == (offset, log.text.count(b"\n", 0, offset) + 1)
        assert frame.data == log.text[offset : frame.end]
        assert runs_of(frame) == bytes_from(pieces_of(log), offset, frame.end)


def runs_of(frame: Frame) -> list[tuple[int, bytes]]:
    place, runs = 0, []
    for channel, length, _time_us in frame.runs:
        runs.append((channel, frame.data[place : place + length]))
        place += length
    assert place == len(frame.data)
    return joined(runs)


def check_places(reader: LogReader, log: Log, chance: random.Random) -> None:
    """Offsets as lines and back, and where a tail begins."""
    offset = chance.randint(0, len(log.text))
    assert reader.position(offset).line == log.text.count(b"\n", 0, offset) + 1
    lines = split(log.text)
    assert reader.end().lines == len(lines)
    count = chance.randint(1, 5)
    assert log.text[reader.tail(count).offset :] == b"".join(lines[-count:])
    if lines:
        first = chance.randint(1, len(lines))
        last = chance.randint(first, len(lines) + 1)
        start, stop = line_range(reader, first, last)
        assert log.text[start:stop] == b"".join(lines[first - 1 : last])


def split(text: bytes) -> list[bytes]:
    """Lines with their LFs, and nothing but LF ends one."""
    return [line + b"\n" for line in text.split(b"\n")[:-1]] + (
        [text.rpartition(b"\n")[2]] if text[-1:] not in (b"", b"\n") else []
    )


class ModelLine:
    """One line as anybody would read it who reads all of the log."""

    def __init__(self, number: int, time_us: int) -> None:
        self.number = number
        self.time_us = time_us
        self.size = 0
        self.channels: set[int] = set()
        self.runs: list[tuple[int, str]] = []
        self.raw: list[tuple[int, bytes]] = []

    def add(self, channel: int, text: str) -> None:
        if text:
            self.runs.append((channel, text))

    def shown(self, channels: frozenset[int]) -> list[tuple[int, str]]:
        joined_runs: list[tuple[int, str]] = []
        for channel, text in self.runs:
            if channel not in channels:
                continue
            if joined_runs and joined_runs[-1][0] == channel:
                text = joined_runs.pop()[1] + text
            joined_runs.append((channel, text))
        return joined_runs


def lines_of(log: Log) -> list[ModelLine]:
    """All lines, each channel decoded by itself from the log's beginning."""
    decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _channel in ALL]
    lines: list[ModelLine] = []
    line: ModelLine | None = None
    for channel, time_us, data in pieces_of(log):
        for part in split(data):
            if line is None:
                line = ModelLine(len(lines) + 1, time_us)
                lines.append(line)
            body = part.removesuffix(b"\n")
            room = max(0, MAX_LINE_BYTES - line.size)
            line.add(channel, decoders[channel].decode(body[:room]))
            beyond = decoders[channel].decode(body[room:], final=part != body)
            if len(body) <= room and line.size + len(body) <= MAX_LINE_BYTES:
                line.add(channel, beyond)
            line.size += len(body)
            line.channels.add(channel)
            line.raw.append((channel, body))
            if part != body:
                line = None
    if line is not None and log.finished and line.size <= MAX_LINE_BYTES:
        for channel, decoder in enumerate(decoders):
            line.add(channel, decoder.decode(b"", final=True))
    return lines


def check_lines(reader: LogReader, log: Log, chance: random.Random) -> None:
    """Windows of lines, from the front and from the end, of all channels and of some."""
    lines = lines_of(log)
    for channels in (ALL, chance.choice(CHOICES[1:])):
        wanted = [line for line in lines if line.channels & channels]
        for start in (1, -1, chance.randint(1, len(wanted) + 2), -chance.randint(1, len(wanted) + 2)):
            count = chance.choice([1, 3, 50])
            window = read_lines(reader, start, count, channels)
            first = start if start > 0 else max(1, len(wanted) + 1 + start)
            expected = wanted[first - 1 : first - 1 + count]
            assert (window.total, window.complete) == (len(wanted), log.finished)
            assert [line.number for line in window.lines] == [line.number for line in expected]
            for line, model in zip(window.lines, expected, strict=True):
                assert line.runs == model.shown(channels)
                assert line.time_us == model.time_us
                assert line.length == (model.size if model.size > MAX_LINE_BYTES else None)


def check_chunk_pages(reader: LogReader, log: Log, chance: random.Random) -> None:
    """Page after page as `GET …/chunks` makes them, with times: all bytes, channels and times come back."""
    limit = chance.choice([70, 5000, 1_048_576])
    start = 0 if limit > 1000 else max(0, len(log.text) - 20 * limit)
    stop = len(log.text)
    found: list[Piece] = []
    offset = start
    while offset < stop:
        stream, after = chunk_pages._stream(reader, offset, min(offset + limit, stop), True)
        assert after > offset
        found += entries_of(stream)
        offset = after
    expected: list[Piece] = []
    at = 0
    for channel, time_us, data in pieces_of(log):
        expected.append((channel, time_us, data[max(0, start - at) :]))
        at += len(data)
    assert timed(found) == timed(expected)


def entries_of(stream: bytes) -> list[Piece]:
    """The entries of a chunk stream, by a parser of the test's own."""
    found: list[Piece] = []
    at, time_us = 0, -1
    while at < len(stream):
        colon = stream.index(b":", at)
        length = int(stream[at:colon])
        kind, data = stream[colon + 1 : colon + 2], stream[colon + 2 : colon + 1 + length]
        assert stream[colon + 1 + length : colon + 2 + length] == b","
        at = colon + 2 + length
        if kind == b"t":
            time_us = int(data)
        else:
            found.append((int(kind), time_us, data))
    return found


def timed(found: list[Piece]) -> list[Piece]:
    """Neighbours of one channel and time joined."""
    runs: list[Piece] = []
    for channel, time_us, data in found:
        if data and runs and runs[-1][:2] == (channel, time_us):
            runs[-1] = (channel, time_us, runs[-1][2] + data)
        elif data:
            runs.append((channel, time_us, data))
    return runs


def check_raw(reader: LogReader, log: Log, chance: random.Random) -> None:
    """What the raw door sends: text as it lies, in part, by channel, and packed."""
    start = chance.randint(0, len(log.text))
    stop = chance.randint(start, len(log.text))
    with mock.patch.object(pieces, "PIECE_BYTES", chance.choice([7000, pieces.PIECE_BYTES])):
        assert b"".join(pieces.text_pieces(reader, start, stop)) == log.text[start:stop]
    channels = chance.choice(CHOICES)
    chosen = b"".join(data for channel, data in bytes_from(pieces_of(log), start, stop) if channel in channels)
    assert b"".join(pieces.gather(pieces.channel_pieces(reader, start, stop, channels))) == chosen
    packed = b"".join(pieces.gzip_pieces(pieces.text_pieces(reader, start, stop)))
    assert gzip.decompress(packed) == log.text[start:stop]


def check_export(reader: LogReader, log: Log) -> None:
    """The log as a file: with times, as Buildbot 0.8 has it, and as text."""
    with_times, plain, text = io.BytesIO(), io.BytesIO(), io.BytesIO()
    export_log(reader, with_times, times=True, progress=lambda _size: None)
    export_log(reader, plain, progress=lambda _size: None)
    export_log(reader, text, text=True, progress=lambda _size: None)
    assert timed(entries_of(with_times.getvalue())) == timed(pieces_of(log))
    assert joined((channel, data) for channel, _time, data in entries_of(plain.getvalue())) == log.runs
    assert text.getvalue() == log.text


def check_search(reader: LogReader, log: Log) -> None:
    """How many lines have a literal, in all channels and in one; not where escape sequences are to be passed over."""
    if b"\x1b" in log.text:
        return
    for channels in (ALL, frozenset({0})):
        expected = [
            line.number
            for line in lines_of(log)
            if LITERAL.encode() in b"".join(data for channel, data in line.raw if channel in channels)
        ]
        query = Query(LITERAL, case_sensitive=True, channels=channels)
        found = search_log(reader, query, start=0, limit=1000, cancelled=lambda: False)
        assert (found.total, found.exact) == (len(expected), True)
        assert [hit.n for hit in found.hits] == expected[:1000]


class Viewer(ConsumerMixin):
    """A consumer that keeps all it gets, and leaves when it has seen what there was."""

    def __init__(self, room: int) -> None:
        self.frames: list[Frame] = []
        self.end: LogEnd | None = None
        self._room = room

    def room(self) -> int:
        return self._room

    async def write_chunk(self, frame: Frame) -> None:
        self.frames.append(frame)

    async def caught_up(self, end: LogEnd) -> None:
        self.end = end
        assert self.producer is not None
        self.producer.stop_producing()

    async def grew(self, end: LogEnd) -> None: ...

    async def finish(self, end: LogEnd) -> None:
        self.end = end

    async def reload(self, reason: str) -> None:
        raise AssertionError(reason)


def check_producer(store: ChunkStore, key: str, log: Log, offset: int, room: int) -> None:
    """A viewer from an offset on: contiguous frames up to the end."""
    viewer = Viewer(room)

    async def watch() -> None:
        await LogFileProducer(1, key, viewer, offset=offset).run()

    with mock.patch.object(live_store, "chunk_store", return_value=store):
        asyncio.run(watch())
    runs: list[tuple[int, bytes]] = []
    at = offset
    for frame in viewer.frames:
        assert frame.offset == at
        assert frame.line == log.text.count(b"\n", 0, at) + 1
        runs += runs_of(frame)
        at = frame.end
    assert at == len(log.text)
    assert joined(runs) == bytes_from(pieces_of(log), offset, at)
    assert viewer.end is not None
    assert viewer.end.finished == log.finished
