"""GET /api/v1/logs/{id}/search: the lines of a log with a text or a pattern in them, page by page.

A line's text is as the viewer shows it, without escape sequences; `spans` are in UTF-16 units of it, as JavaScript
counts. Where a text was cut, `bytes` is the length of the whole line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from logviewer.doors.answers import FRESH_HEADERS
from logviewer.doors.http import BadRequest, Exchange, RefusedRequest, door, while_connected
from logviewer.doors.identity import readable_log
from logviewer.doors.parameters import chosen_channels, flag, whole_number
from logviewer.insight import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Found,
    Hit,
    InvalidQuery,
    Query,
    TooManySearches,
    search_log,
    search_threads,
)
from logviewer.live.store import open_reader
from logviewer.models import LogFile
from logviewer.resources.problems import Problem

PARAMETERS = frozenset({"q", "regex", "case", "channels", "start", "limit"})
RETRY_SECONDS = 2

Search = Callable[[Callable[[], bool]], bytes]


async def _search(exchange: Exchange) -> None:
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters(PARAMETERS)
    text = exchange.parameter("q")
    if text is None:
        raise BadRequest("q", "q is what to search for")
    query = Query(text, flag(exchange, "regex"), flag(exchange, "case"), chosen_channels(exchange))
    start = whole_number(exchange, "start", default=0, least=0)
    limit = whole_number(exchange, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT)
    await exchange.consume_body()
    await while_connected(exchange, _answer(exchange, partial(_found, log, query, start, limit)))


async def _answer(exchange: Exchange, search: Search) -> None:
    """Search on a thread, and answer; cancelled, it calls the search off."""
    try:
        running = search_threads.start(search)
    except TooManySearches:
        detail = "The server has as many searches waiting as it takes: send this one again in a while."
        headers = {"Retry-After": str(RETRY_SECONDS)}
        raise RefusedRequest(Problem("busy", "Too many searches", 503, detail, headers=headers)) from None
    try:
        body = await asyncio.wrap_future(running.future)
    except InvalidQuery as error:
        raise BadRequest("q", str(error)) from None
    finally:
        running.cancel()
    await exchange.respond(200, [("Content-Type", "application/json"), *FRESH_HEADERS], body)


def _found(log: LogFile, query: Query, start: int, limit: int, cancelled: Callable[[], bool]) -> bytes:
    """Search, on a thread that may wait, and give the answer's body: it can be long."""
    with open_reader(log.key) as reader:
        found = search_log(reader, query, start=start, limit=limit, cancelled=cancelled, text_sha256=log.text_sha256)
    return json.dumps(_document(found), ensure_ascii=False).encode()


def _document(found: Found) -> dict[str, Any]:
    hits = [_hit(hit) for hit in found.hits]
    return {"total": found.total, "exact": found.exact, "hits": hits, "next": found.next}


def _hit(hit: Hit) -> dict[str, Any]:
    document: dict[str, Any] = {"n": hit.n, "spans": hit.spans, "text": hit.text}
    if hit.length is not None:
        document["bytes"] = hit.length
    return document


search = door({"GET": _search})
