"""GET and HEAD /html-logs/{id}: a log of type `html` as a document, for a sandboxed frame of its page.

Whoever wrote the log wrote the document. So it is never the site's own page: the policy makes it a sandbox whether it
stands in the frame or is opened by itself, of an origin that is nobody's, without scripts, forms or anything fetched.
"""

from __future__ import annotations

from logviewer.doors.answers import FRESH_HEADERS
from logviewer.doors.http import Exchange, RefusedRequest, door
from logviewer.doors.identity import readable_log
from logviewer.doors.pieces import send_pieces, text_pieces
from logviewer.live import chunk_store
from logviewer.live.threads import in_reading_thread, opened_in_reading_thread
from logviewer.models import LogType
from logviewer.resources.problems import Problem

POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", POLICY),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "no-referrer"),
    *FRESH_HEADERS,
)


async def _html(exchange: Exchange) -> None:
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters(())
    if log.type != LogType.HTML:
        detail = f"this log is of type {log.type}: its text is at /api/v1/logs/{log.pk}/raw"
        raise RefusedRequest(Problem("not-found", "Not found", 404, detail))
    await exchange.consume_body()
    with await opened_in_reading_thread(chunk_store().reader, log.key) as reader:
        end = await in_reading_thread(reader.end)
        headers = [*HEADERS, ("Content-Length", str(end.size))]
        await send_pieces(exchange, 200, headers, text_pieces(reader, 0, end.size))


html_log = door({"GET": _html, "HEAD": _html})
