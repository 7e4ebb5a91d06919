"""POST /api/v1/logs/{id}/chunks: output comes in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from logviewer.chunkstore import Appended, Entry, LogLocked, parse_chunk_stream
from logviewer.doors.http import BadRequest, Exchange
from logviewer.doors.identity import writable_log
from logviewer.doors.parameters import CHANNEL_NAMES
from logviewer.doors.uploads import LockWait, Target
from logviewer.live.threads import in_writing_thread

CHUNK_STREAM_TYPE = "application/vnd.buildlogs.chunks"
TEXT_TYPE = "text/plain"

Parse = Callable[[bytes], list[Entry]]


async def append_chunks(exchange: Exchange) -> None:
    """Check who writes, read the body, store it, acknowledge it; the database's counters follow by themselves."""
    log = await writable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters({"channel"})
    offset = exchange.number("Upload-Offset", exchange.header(b"upload-offset"))
    skip = exchange.number("Upload-Skip", exchange.header(b"upload-skip")) or 0
    if skip and offset is None:
        raise BadRequest("Upload-Skip", "Upload-Skip needs Upload-Offset: the first of the bytes that were lost")
    parse = _parser(exchange)
    body = await exchange.body()
    appended = await _store(_Upload(Target.of(log), parse, body, offset, skip))
    await exchange.respond(
        200,
        [("Content-Type", "application/json"), ("Upload-Offset", str(appended.received))],
        json.dumps({"received": appended.received}).encode(),
    )


class _Upload:
    """One body, to be stored on a worker thread: many small entries keep a core busy for a while."""

    def __init__(self, target: Target, parse: Parse, body: bytes, offset: int | None, skip: int) -> None:
        self._target = target
        self._parse = parse
        self._body = body
        self._offset = offset
        self._skip = skip
        self._entries: list[Entry] | None = None

    def store(self) -> Appended:
        """Parse (once) and append, if no other writer is at the log this moment."""
        if self._entries is None:
            self._entries = self._parse(self._body)
        return self._target.append_at_once(self._entries, self._offset, self._skip)


async def _store(upload: _Upload) -> Appended:
    """Store the upload; where another writer holds its log, wait on the event loop.

    Raises:
        LogLocked: the other one held it for LOCK_WAIT_SECONDS.
    """
    wait = LockWait()
    while True:
        try:
            return await in_writing_thread(upload.store)
        except LogLocked:
            pause_seconds = wait.next_pause()
            if pause_seconds is None:
                raise
        await asyncio.sleep(pause_seconds)


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
    number = CHANNEL_NAMES.get("stdout" if channel is None else channel)
    if number is None:
        raise BadRequest("channel", f"channel must be one of {', '.join(CHANNEL_NAMES)}")
    return lambda body: [Entry(int(number), body, None)] if body else []
