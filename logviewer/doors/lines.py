"""GET and HEAD /api/v1/logs/{id}/lines: a window of lines, from anywhere in the log."""

from __future__ import annotations

import json
from typing import Any

from logviewer.chunkstore.lines import Line, read_lines
from logviewer.doors.answers import JSON_HEADERS, respond_whole
from logviewer.doors.frames import US_PER_MS
from logviewer.doors.http import BadRequest, Exchange, door
from logviewer.doors.identity import readable_log
from logviewer.doors.parameters import MAX_NUMBER, Channels, chosen_channels, whole_number
from logviewer.live import chunk_store
from logviewer.live.threads import in_reading_thread

DEFAULT_COUNT = 500
MAX_COUNT = 5000
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Of JSON, which is more than the text where much of it has to be escaped."""


async def _lines(exchange: Exchange) -> None:
    """Answer with the lines that the request asks for."""
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters({"start", "count", "channels"})
    start = whole_number(exchange, "start", default=1, least=-MAX_NUMBER)
    if start == 0:
        raise BadRequest("start", "start is 1 or more, the first line being 1, or negative: -1 is the last line")
    count = whole_number(exchange, "count", default=DEFAULT_COUNT, least=1, most=MAX_COUNT)
    channels = chosen_channels(exchange)
    await exchange.consume_body()
    body = await in_reading_thread(_window, log.key, start, count, channels)
    await respond_whole(exchange, JSON_HEADERS, body)


def _window(key: str, start: int, count: int, channels: Channels) -> bytes:
    """The answer's JSON, of as many of the lines as it has room for, one at the least."""
    with chunk_store().reader(key) as reader:
        window = read_lines(reader, start, count, channels)
    head = {"start": window.start, "total": window.total, "complete": window.complete, "sgr": window.sgr}
    pieces = [_encode(head)[:-1] + b',"lines":[']
    size = len(pieces[0])
    for line in window.lines:
        piece = _encode(_shape(line))
        size += len(piece) + 1
        if size > MAX_ANSWER_BYTES and len(pieces) > 1:
            break
        pieces += (piece, b",")
    if len(pieces) > 1:
        pieces.pop()  # the last comma
    return b"".join([*pieces, b"]}"])


def _shape(line: Line) -> dict[str, Any]:
    shape: dict[str, Any] = {"n": line.number, "t": line.time_us // US_PER_MS}
    if line.length is not None:
        shape["bytes"] = line.length
    shape["runs"] = line.runs
    return shape


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


lines = door({"GET": _lines, "HEAD": _lines})
