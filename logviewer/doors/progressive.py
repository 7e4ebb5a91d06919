"""GET and HEAD /api/v1/logs/{id}/progressiveText: the text from a byte on, as scripts written for Jenkins ask for it.

After Jenkins' `LargeText.doProgressText`: `X-Text-Size` is where the next call goes on, `X-More-Data` is there while
more may come, and a start beyond the end is taken as 0, for there the log can have been replaced. Unlike Jenkins, which
holds back a line until its end has come, this gives an open log's text to its last byte.
"""

from __future__ import annotations

from logviewer.doors.answers import log_headers
from logviewer.doors.http import Exchange, door
from logviewer.doors.identity import readable_log
from logviewer.doors.parameters import whole_number
from logviewer.doors.pieces import send_pieces, text_pieces
from logviewer.live import chunk_store
from logviewer.live.threads import in_reading_thread, opened_in_reading_thread


async def _progressive_text(exchange: Exchange) -> None:
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters({"start"})
    start = whole_number(exchange, "start", default=0, least=0)
    await exchange.consume_body()
    with await opened_in_reading_thread(chunk_store().reader, log.key) as reader:
        end = await in_reading_thread(reader.end)
        if start > end.size:
            start = 0
        headers = [
            *log_headers(log, download=False),
            ("Content-Length", str(end.size - start)),
            ("X-Text-Size", str(end.size)),
        ]
        if not end.finished:
            headers.append(("X-More-Data", "true"))
        await send_pieces(exchange, 200, headers, text_pieces(reader, start, end.size))


progressive_text = door({"GET": _progressive_text, "HEAD": _progressive_text})
