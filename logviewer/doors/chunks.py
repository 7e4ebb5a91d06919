"""POST /api/v1/logs/{id}/chunks: output comes in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from logviewer.chunkstore import Appended, Channel, Entry, parse_chunk_stream
from logviewer.doors.http import BadRequest, Exchange, door
from logviewer.doors.identity import writable_log
from logviewer.intake import counters
from logviewer.intake.output import append_output
from logviewer.live.database import in_database_aside
from logviewer.models import LogFile

CHUNK_STREAM_TYPE = "application/vnd.buildlogs.chunks"
TEXT_TYPE = "text/plain"
CHANNEL_NAMES = {channel.name.lower(): channel for channel in Channel}

Parse = Callable[[bytes], list[Entry]]


async def _append(exchange: Exchange) -> None:
    """Check who writes, read the body, store it, acknowledge it; the database's counters follow after that."""
    log = await writable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters({"channel"})
    offset = exchange.number("Upload-Offset", exchange.header(b"upload-offset"))
    skip = exchange.number("Upload-Skip", exchange.header(b"upload-skip")) or 0
    if skip and offset is None:
        raise BadRequest("Upload-Skip", "Upload-Skip needs Upload-Offset: the first of the bytes that were lost")
    parse = _parser(exchange)
    body = await exchange.body()
    appended = await asyncio.to_thread(_store, log, parse, body, offset, skip)
    await exchange.respond(
        200,
        [("Content-Type", "application/json"), ("Upload-Offset", str(appended.received))],
        json.dumps({"received": appended.received}).encode(),
    )
    if counters.due(log.pk):
        await in_database_aside(counters.write, log.pk, appended.end)


def _store(log: LogFile, parse: Parse, body: bytes, offset: int | None, skip: int) -> Appended:
    """Parse and append, on a worker thread: a body of many small entries keeps a core busy for a while."""
    return append_output(log.pk, log.key, parse(body), offset=offset, skip=skip)


def _parser(exchange: Exchange) -> Parse:
    """How this request's body is read, by its type; refused before the body is."""
    content_type = (exchange.header(b"content-type") or "").partition(";")[0].strip().lower()
    channel = exchange.parameter("channel")
    if content_type == CHUNK_STREAM_TYPE:
        if channel is not None:
            raise BadRequest("channel", "a chunk stream names its channels itself")
        return parse_chunk_stream
    if content_type != TEXT_TYPE:
        detail = f"Content-Type must be {CHUNK_STREAM_TYPE} or {TEXT_TYPE}, not {content_type[:80]!r}"
        raise BadRequest("Content-Type", detail, status=415, title="Unsupported media type")
    number = CHANNEL_NAMES.get(channel or "stdout")
    if number is None:
        raise BadRequest("channel", f"channel must be one of {', '.join(CHANNEL_NAMES)}")
    return lambda body: [Entry(int(number), body, None)] if body else []


append_chunks = door({"POST": _append})
