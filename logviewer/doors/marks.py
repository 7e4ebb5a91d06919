"""GET and HEAD /api/v1/logs/{id}/marks: places of a log that are worth a look.

`errors` are lines that are errors or warnings, `folds` lines that belong together, `gaps` the longest silences. Each
list is bounded; `counts` has how many there are.
"""

from __future__ import annotations

import json
from typing import Any

from logviewer.chunkstore.marks import read_gaps
from logviewer.doors.answers import JSON_HEADERS, respond_whole
from logviewer.doors.http import Exchange, door
from logviewer.doors.identity import readable_log
from logviewer.live import chunk_store
from logviewer.live.database import in_database
from logviewer.live.threads import in_reading_thread
from logviewer.models import Annotation, Fold, Inspection
from logviewer.resources.annotations import annotation_shape


async def _marks(exchange: Exchange) -> None:
    """Answer with what is known of the log now; of an open one it is a moment behind."""
    log = await readable_log(exchange.scope, int(exchange.path["log_id"]))
    exchange.refuse_unknown_parameters(())
    await exchange.consume_body()
    annotations, folds, total_folds = await in_database(_found, log.pk)
    counts = {"errors": log.errors, "warnings": log.warnings, "folds": total_folds}
    await respond_whole(exchange, JSON_HEADERS, await in_reading_thread(_body, log.key, annotations, folds, counts))


def _found(log_id: int) -> tuple[list[Annotation], list[Fold], int]:
    """What insight found in the log, and how many folds that was."""
    total = Inspection.objects.filter(pk=log_id).values_list("folds", flat=True).first()
    return list(Annotation.objects.filter(log=log_id)), list(Fold.objects.filter(log=log_id)), total or 0


def _body(key: str, annotations: list[Annotation], folds: list[Fold], counts: dict[str, int]) -> bytes:
    with chunk_store().reader(key) as reader:
        found = read_gaps(reader)
    answer = {
        "errors": [annotation_shape(annotation) for annotation in annotations],
        "folds": [_fold_shape(fold) for fold in folds],
        "gaps": [{"n": line, "seconds": seconds} for line, seconds in found.gaps],
        "counts": {**counts, "gaps": found.total},
    }
    return json.dumps(answer, separators=(",", ":")).encode()


def _fold_shape(fold: Fold) -> dict[str, Any]:
    """`end` is null while the fold is open; `seconds` are there where they are known."""
    shape: dict[str, Any] = {"start": fold.start, "end": fold.end, "name": fold.name, "level": fold.level}
    if fold.seconds is not None:
        shape["seconds"] = fold.seconds
    return shape


marks = door({"GET": _marks, "HEAD": _marks})
