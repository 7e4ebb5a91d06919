"""A log's text in pieces that a worker thread makes, and a response that is written from them.

Two pieces are in memory at most: one is made while the one before it goes out, as fast as the client takes it.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Generator
from contextlib import closing

from logviewer.chunkstore import Frame, LogReader
from logviewer.chunkstore.sealed import FRAME_BYTES
from logviewer.chunkstore.sources import Source
from logviewer.doors.http import Exchange, Headers, while_connected
from logviewer.doors.parameters import ALL_CHANNELS, Channels
from logviewer.live.threads import in_reading_thread

PIECE_BYTES = 512 * 1024
"""A hop to a thread and back costs as much as reading 128 KiB: measured, 1.4 CPU s/GB at 256 KiB, 0.9 here."""

SEALED_PIECE_BYTES = FRAME_BYTES
"""What sealed text is decoded by, so that each frame is decoded once."""

MAX_RUNS_IN_PIECE = 16_384
GZIP_LEVEL = 1
GZIP_FORMAT = 16 + zlib.MAX_WBITS

Pieces = Generator[bytes, None, None]


def text_pieces(reader: LogReader, start: int, stop: int) -> Pieces:
    """The text from `start` to `stop` as it is, of a sealed one frame by frame."""
    offset = start
    piece_bytes = PIECE_BYTES if reader.sealed is None else SEALED_PIECE_BYTES
    while offset < stop:
        piece = reader.read(offset, min(piece_bytes - offset % piece_bytes, stop - offset))
        if not piece:
            raise EOFError(f"{reader.files.key} ends at byte {offset}, expected were {stop}")
        offset += len(piece)
        yield piece


def channel_pieces(reader: LogReader, start: int, stop: int, channels: Channels) -> Pieces:
    """Those channels of the text from `start` to `stop`; pieces may be empty, so that nobody waits long for one."""
    offset = start
    while offset < stop:
        frame = reader.frame(offset, max_bytes=min(PIECE_BYTES, stop - offset), max_runs=MAX_RUNS_IN_PIECE)
        if frame is None:
            raise EOFError(f"{reader.files.key} ends at byte {offset}, expected were {stop}")
        offset = frame.end
        yield select_channels(frame, channels)


def file_pieces(source: Source) -> Pieces:
    """A whole file as it lies."""
    offset, size = 0, source.size()
    while offset < size:
        piece = source.read(offset, min(SEALED_PIECE_BYTES, size - offset))
        if not piece:
            raise EOFError(f"a sealed file ends at byte {offset}, expected were {size}")
        offset += len(piece)
        yield piece


def gzip_pieces(pieces: Pieces) -> Pieces:
    """`pieces`, compressed; the same text always gives the same bytes, as a strong ETag asks."""
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_FORMAT)
    with closing(pieces):
        for piece in pieces:
            yield compressor.compress(piece)
    yield compressor.flush()


def gather(pieces: Pieces, least_bytes: int = PIECE_BYTES) -> Pieces:
    """`pieces`, the small ones joined: each one costs a hop to a thread and back."""
    gathered: list[bytes] = []
    size = 0
    with closing(pieces):
        for piece in pieces:
            gathered.append(piece)
            size += len(piece)
            if size >= least_bytes:
                yield b"".join(gathered)
                gathered.clear()
                size = 0
    yield b"".join(gathered)


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


async def send_pieces(exchange: Exchange, status: int, headers: Headers, pieces: Pieces) -> None:
    """Answer with what `pieces` makes; a HEAD gets none of it.

    The first piece is made before the status goes out: what cannot be read from its beginning is answered with a
    problem, what breaks later breaks the response off.
    """
    if exchange.scope["method"] == "HEAD":
        pieces.close()
        await exchange.start(status, headers)
        await exchange.end()
    else:
        await while_connected(exchange, _write(exchange, status, headers, pieces))


async def _write(exchange: Exchange, status: int, headers: Headers, pieces: Pieces) -> None:
    """Write piece after piece; whatever happens, no thread is at `pieces` any more when it returns."""
    ahead = _begin_next(pieces)
    try:
        piece = await asyncio.shield(ahead)
        await exchange.start(status, headers)
        await exchange.write(b"")  # the headers, even if nothing follows for a while
        while piece is not None:
            ahead = _begin_next(pieces)
            if piece:
                await exchange.write(piece)
            piece = await asyncio.shield(ahead)
        await exchange.end()
    finally:
        await asyncio.wait({ahead})
        pieces.close()


def _begin_next(pieces: Pieces) -> asyncio.Task[bytes | None]:
    """Have the next piece made; None is the end."""
    return asyncio.ensure_future(in_reading_thread(_next, pieces))


def _next(pieces: Pieces) -> bytes | None:
    return next(pieces, None)
