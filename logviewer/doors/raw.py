"""GET and HEAD /api/v1/logs/{id}/raw: the text goes out, whole, in part, or as it comes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from logviewer.chunkstore import Channel, Frame, LogEnd, LogReader
from logviewer.doors.chunks import CHANNEL_NAMES
from logviewer.doors.http import BadRequest, Exchange, Headers, RefusedRequest, door, while_connected
from logviewer.doors.identity import readable_log
from logviewer.doors.ranges import ByteRange, Unsatisfiable, etag_matches, parse_range
from logviewer.live import ConsumerMixin, LogFileProducer, chunk_store
from logviewer.live.threads import in_reading_thread
from logviewer.models import LogFile
from logviewer.resources.problems import Problem

PIECE_BYTES = 256 * 1024
MAX_RUNS_IN_PIECE = 16_384
PARAMETERS = frozenset({"channels", "follow", "download"})
ALL_CHANNELS = frozenset(int(channel) for channel in Channel)

Channels = frozenset[int]


class UnsatisfiableRange(RefusedRequest):
    """A range outside a text of `size` bytes."""

    def __init__(self, size: int) -> None:
        detail = f"the text has {size} bytes; the range lies outside"
        headers = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        problem = Problem("invalid", "Range not satisfiable", 416, detail, {"Range": [detail]}, headers=headers)
        super().__init__(problem)


async def _raw(exchange: Exchange) -> None:
    """Answer with the text of the log, by its state and the request's wishes."""
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters(PARAMETERS)
    channels = _channels(exchange.parameter("channels"))
    follow = _flag(exchange, "follow")
    headers = _headers(log, download=_flag(exchange, "download"))
    await _consume_body(exchange)
    with await in_reading_thread(chunk_store().reader, log.key) as reader:
        end = reader.end()
        if end.finished and channels == ALL_CHANNELS:
            await _whole(exchange, log, reader, end, headers)
        elif end.finished or not follow:
            await exchange.start(200, headers)
            await _body(exchange, _pieces(reader, 0, end.size, channels))
        else:
            reader.close()  # the producer has its own, and only while it needs it
            await exchange.start(200, headers)
            await _follow(exchange, log, channels)


async def _consume_body(exchange: Exchange) -> None:
    """Read the (empty) body, so that the next message is the client's going away."""
    await exchange.body()


async def _whole(exchange: Exchange, log: LogFile, reader: LogReader, end: LogEnd, headers: Headers) -> None:
    """A finished log, all channels: length and ETag are known, so it can be cached and read in ranges."""
    wanted: ByteRange | None = None
    if log.text_sha256 is not None:  # the row follows the store; until it has, there is no ETag to give
        etag = f'"{log.text_sha256}"'
        headers = [*headers, ("ETag", etag), ("Accept-Ranges", "bytes")]
        if etag_matches(exchange.header(b"if-none-match"), etag):
            await exchange.start(304, headers)
            await exchange.end()
            return
        try:
            if exchange.scope["method"] == "GET":
                wanted = parse_range(exchange.header(b"range"), exchange.header(b"if-range"), etag, end.size)
        except Unsatisfiable:
            raise UnsatisfiableRange(end.size) from None
    span = wanted or ByteRange(0, end.size)
    headers = [*headers, ("Content-Length", str(span.stop - span.start))]
    if wanted is None:
        await exchange.start(200, headers)
    else:
        await exchange.start(206, [*headers, ("Content-Range", wanted.content_range(end.size))])
    await _body(exchange, _pieces(reader, span.start, span.stop, ALL_CHANNELS))


async def _body(exchange: Exchange, pieces: AsyncIterator[bytes]) -> None:
    """Send the pieces as fast as the client takes them; a HEAD gets none."""
    if exchange.scope["method"] == "HEAD":
        await exchange.end()
        return

    async def write() -> None:
        async for piece in pieces:
            await exchange.write(piece)
        await exchange.end()

    await while_connected(exchange, write())


async def _pieces(reader: LogReader, start: int, stop: int, channels: Channels) -> AsyncIterator[bytes]:
    """The text from `start` to `stop`, those channels of it; read on a worker thread, piece by piece."""
    offset = start
    while offset < stop:
        frame = await in_reading_thread(
            reader.frame, offset, max_bytes=min(PIECE_BYTES, stop - offset), max_runs=MAX_RUNS_IN_PIECE
        )
        if frame is None:
            raise EOFError(f"log {reader!r} ends at byte {offset}, expected were {stop}")
        offset = frame.end
        piece = select_channels(frame, channels)
        if piece:
            yield piece


def select_channels(frame: Frame, channels: Channels) -> bytes:
    """The bytes of a frame that are on one of `channels`, in order."""
    if channels == ALL_CHANNELS:
        return frame.data
    view, position, chosen = memoryview(frame.data), 0, []
    for channel, length, _time_us in frame.runs:
        if channel in channels:
            chosen.append(view[position : position + length])
        position += length
    return b"".join(chosen)


async def _follow(exchange: Exchange, log: LogFile, channels: Channels) -> None:
    """Send what there is and what comes until the finish: `curl -N` is `tail -f`."""
    if exchange.scope["method"] == "HEAD":
        await exchange.end()
        return
    producer = LogFileProducer(log.pk, log.key, FollowConsumer(exchange, channels))
    await while_connected(exchange, producer.run())


class FollowConsumer(ConsumerMixin):
    """Writes a log's text into an HTTP response; the transport's own back-pressure is its window."""

    def __init__(self, exchange: Exchange, channels: Channels) -> None:
        self._exchange = exchange
        self._channels = channels

    def room(self) -> int:
        """No credit to count: `write` waits while the client is slower."""
        return PIECE_BYTES

    async def write_chunk(self, frame: Frame) -> None:
        """Send the frame's bytes."""
        piece = select_channels(frame, self._channels)
        if piece:
            await self._exchange.write(piece)

    async def caught_up(self, end: LogEnd) -> None:
        """Nothing to say: a plain response has no word for it. The headers go out even if the log is empty."""
        await self._exchange.write(b"")

    async def grew(self, end: LogEnd) -> None:
        """Nothing to say; see `caught_up`."""

    async def finish(self, end: LogEnd) -> None:
        """End the response."""
        await self._exchange.end()

    async def reload(self, reason: str) -> None:
        """Break the response off: what was sent is void, and a clean end would claim otherwise."""
        raise ConnectionAbortedError(reason)


def _channels(text: str | None) -> Channels:
    """`stdout,stderr` as channel numbers; None is all of them."""
    if text is None:
        return ALL_CHANNELS
    names = text.split(",")
    unknown = [name for name in names if name not in CHANNEL_NAMES]
    if unknown:
        raise BadRequest("channels", f"{unknown[0][:40]!r} is none of {', '.join(CHANNEL_NAMES)}")
    return frozenset(int(CHANNEL_NAMES[name]) for name in names)


def _flag(exchange: Exchange, name: str) -> bool:
    """A query parameter that is 1 or 0; absent is 0."""
    value = exchange.parameter(name)
    if value not in (None, "0", "1"):
        raise BadRequest(name, f"{name} is 0 or 1")
    return value == "1"


def _headers(log: LogFile, *, download: bool) -> list[tuple[str, str]]:
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ("Cache-Control", "no-cache"),
        ("Vary", "Accept-Encoding, Authorization, Cookie"),
    ]
    if download:
        headers.append(("Content-Disposition", f'attachment; filename="{download_name(log)}"'))
    return headers


def download_name(log: LogFile) -> str:
    """`project-builder-42-compile-stdio.log`: slugs only, so it needs no quoting."""
    build = log.step.build
    parts = (build.builder.project.slug, build.builder.slug, str(build.number), log.step.slug, log.slug)
    return re.sub(r"[^A-Za-z0-9._-]", "-", "-".join(parts)) + ".log"


raw_text = door({"GET": _raw, "HEAD": _raw})
