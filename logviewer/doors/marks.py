"""GET and HEAD /api/v1/logs/{id}/marks: places of a log that are worth a look."""

from __future__ import annotations

import json

from logviewer.chunkstore.marks import read_gaps
from logviewer.doors.answers import JSON_HEADERS, respond_whole
from logviewer.doors.http import Exchange, door
from logviewer.doors.identity import readable_log
from logviewer.live import chunk_store
from logviewer.live.threads import in_reading_thread


async def _marks(exchange: Exchange) -> None:
    """Answer with the log's longest silences. Errors and folds are not looked for yet: there are none to name."""
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters(())
    await exchange.consume_body()
    await respond_whole(exchange, JSON_HEADERS, await in_reading_thread(_body, log.key))


def _body(key: str) -> bytes:
    with chunk_store().reader(key) as reader:
        found = read_gaps(reader)
    answer = {
        "errors": [],
        "folds": [],
        "gaps": [{"n": line, "seconds": seconds} for line, seconds in found.gaps],
        "counts": {"errors": 0, "folds": 0, "gaps": found.total},
    }
    return json.dumps(answer, separators=(",", ":")).encode()


marks = door({"GET": _marks, "HEAD": _marks})
