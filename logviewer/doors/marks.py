"""GET and HEAD /api/v1/logs/{id}/marks: places of a log that are worth a look.

`errors` are lines that are errors or warnings, `folds` lines that belong together, `gaps` the longest silences. Each
list is bounded; `counts` has how many there are. `complete` says that all of a finished log was looked at, so that
nothing more will be found. Everybody who watches an open log asks again and again: what insight found is read from the
database once for each of its looks, and sent to nobody who has it already.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from logviewer.chunkstore.marks import read_gaps
from logviewer.doors.answers import JSON_HEADERS, respond_whole
from logviewer.doors.http import Exchange, door
from logviewer.doors.identity import readable_log
from logviewer.doors.ranges import etag_names
from logviewer.live import chunk_store
from logviewer.live.database import in_database
from logviewer.live.threads import in_reading_thread
from logviewer.models import Fold, Inspection, LogFile
from logviewer.resources.annotations import annotation_shape

MAX_REMEMBERED_BYTES = 8 * 1024 * 1024
"""Of what was found in the logs that were asked for last; one log has a megabyte at the most."""

FoundKey = tuple[int, datetime, int, bool, int]
"""Which log, how far it was looked at, and how often it was redacted."""


class Found(NamedTuple):
    """What insight found in a log: `errors` and `folds` as members of a JSON object, and how many folds there are.

    `hash` is the SHA-256 of the members.
    """

    members: bytes
    folds: int
    hash: bytes


async def _marks(exchange: Exchange) -> None:
    """Answer with what is known of the log now; of an open one it is a moment behind."""
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters(())
    await exchange.consume_body()
    key = (log.pk, log.started_at, log.looked_bytes, log.looked_through, log.redactions)
    found = _remembered.get(key)
    if found is None:
        if key not in _being_read:
            _being_read[key] = asyncio.ensure_future(_read(key, log))
        found = await asyncio.shield(_being_read[key])
    others = await in_reading_thread(_others, log, found)
    etag = f'"{sha256(found.hash + others).hexdigest()}"'
    headers = [*JSON_HEADERS, ("ETag", etag)]
    if etag_names(exchange.header_list(b"if-none-match")) & {etag, "*"}:
        await exchange.start(304, headers)
        await exchange.end()
    else:
        await respond_whole(exchange, headers, b"{" + found.members + b"," + others[1:])


async def _read(key: FoundKey, log: LogFile) -> Found:
    """Find it for all who ask meanwhile; it goes on though one of them leaves."""
    try:
        found = await in_database(_find, log)
    finally:
        del _being_read[key]
    _remembered.put(key, found)
    return found


def _find(log: LogFile) -> Found:
    """Read what was found in the log."""
    folds = Inspection.objects.filter(pk=log.pk).values_list("folds", flat=True).first()
    members = {
        "errors": [annotation_shape(annotation) for annotation in log.annotations.all()],
        "folds": [_fold_shape(fold) for fold in log.folds.all()],
    }
    text = _encode(members)[1:-1]
    return Found(text, folds or 0, sha256(text).digest())


def _others(log: LogFile, found: Found) -> bytes:
    """What is not found by insight, as a JSON object."""
    with chunk_store().reader(log.key) as reader:
        gaps = read_gaps(reader)
    counts = {"errors": log.errors, "warnings": log.warnings, "folds": found.folds, "gaps": gaps.total}
    others = {
        "gaps": [{"n": line, "seconds": seconds} for line, seconds in gaps.gaps],
        "counts": counts,
        "complete": log.looked_through,
    }
    return _encode(others)


def _fold_shape(fold: Fold) -> dict[str, Any]:
    """`end` is null while the fold is open; `seconds` are there where they are known."""
    shape: dict[str, Any] = {"start": fold.start, "end": fold.end, "name": fold.name, "level": fold.level}
    if fold.seconds is not None:
        shape["seconds"] = fold.seconds
    return shape


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class Remembered:
    """What was found lately, at most `max_bytes` of it. Belongs to the event loop's thread."""

    def __init__(self, max_bytes: int = MAX_REMEMBERED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._found: OrderedDict[FoundKey, Found] = OrderedDict()

    def get(self, key: FoundKey) -> Found | None:
        """Return it, or None where it is not known any more."""
        if key in self._found:
            self._found.move_to_end(key)
        return self._found.get(key)

    def put(self, key: FoundKey, found: Found) -> None:
        """Keep it; what was not asked for for longest goes."""
        if key not in self._found:
            self._found[key] = found
            self._bytes += len(found.members)
        while self._bytes > self._max_bytes:
            _key, dropped = self._found.popitem(last=False)
            self._bytes -= len(dropped.members)


_remembered = Remembered()
_being_read: dict[FoundKey, asyncio.Future[Found]] = {}

marks = door({"GET": _marks, "HEAD": _marks})
