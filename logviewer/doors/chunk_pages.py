"""GET and HEAD /api/v1/logs/{id}/chunks: a page of the log as a chunk stream, which may be sent in again as it is."""

from __future__ import annotations

from typing import NamedTuple

from logviewer.chunkstore import LogReader, encode_runs
from logviewer.doors.answers import FRESH_HEADERS, respond_whole
from logviewer.doors.chunks import CHUNK_STREAM_TYPE
from logviewer.doors.guard import DEFAULT_MAX_BODY_BYTES
from logviewer.doors.http import BadRequest, Exchange
from logviewer.doors.identity import readable_log
from logviewer.doors.parameters import flag, whole_number
from logviewer.doors.pieces import MAX_RUNS_IN_PIECE
from logviewer.live import chunk_store
from logviewer.live.threads import in_reading_thread

MAX_PAGE_BYTES = 1_048_576
ANY_TIME_US = 2**64
"""As a frame's precision: neighbours of one channel are one run, whenever they came."""


class Page(NamedTuple):
    """A page's chunk stream, and where the next one begins; None where there is none and never will be."""

    stream: bytes
    next_offset: int | None


async def send_chunks(exchange: Exchange) -> None:
    """Answer with the page that the request asks for."""
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters({"offset", "limit", "times"})
    offset = whole_number(exchange, "offset", default=0, least=0)
    limit = whole_number(exchange, "limit", default=MAX_PAGE_BYTES, least=1, most=MAX_PAGE_BYTES)
    times = flag(exchange, "times", default=True)
    await exchange.consume_body()
    page = await in_reading_thread(_page, log.key, offset, limit, times)
    headers = [("Content-Type", CHUNK_STREAM_TYPE), *FRESH_HEADERS]
    if page.next_offset is not None:
        headers.append(("Next-Offset", str(page.next_offset)))
    await respond_whole(exchange, headers, page.stream)


def _page(key: str, offset: int, limit: int, times: bool) -> Page:
    with chunk_store().reader(key) as reader:
        end = reader.end()
        if offset > end.size:
            raise BadRequest("offset", f"offset {offset} is beyond the log's {end.size} bytes")
        stream, stop = _stream(reader, offset, min(offset + limit, end.size), times)
        return Page(stream, None if end.finished and stop == end.size else stop)


def _stream(reader: LogReader, start: int, stop: int, times: bool) -> tuple[bytes, int]:
    """The chunk stream of the text from `start` on, and where it ends: at `stop`, or before it.

    It is no longer than the body of an upload may be, also where each byte of the text has a time of its own.
    """
    entries: list[bytes] = []
    size, offset, told_us = 0, start, -1 if times else None
    while offset < stop:
        frame = reader.frame(
            offset,
            max_bytes=stop - offset,
            max_runs=MAX_RUNS_IN_PIECE,
            precision_us=1 if times else ANY_TIME_US,
        )
        if frame is None:  # cut by a repair this moment: the next page begins where the text ends now
            break
        for entry, length in encode_runs(frame.runs, frame.data, told_us):
            if size + len(entry) > DEFAULT_MAX_BODY_BYTES:
                return b"".join(entries), offset
            entries.append(entry)
            size, offset = size + len(entry), offset + length
        if times:
            told_us = frame.runs[-1][2]
    return b"".join(entries), offset
