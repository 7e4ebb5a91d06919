"""Looking at logs as far as they are stored, and writing down what was found (docs/adr/0021).

What was found and how far it was looked are one transaction, made only where nobody else went on from the same place:
any number of processes may look at the same logs, and be killed at any instant.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from logviewer.chunkstore import LogReader
from logviewer.insight.inspector import Inspector, UnreadableState
from logviewer.intake.changes import lock_build, repeat_event
from logviewer.live.store import chunk_store
from logviewer.models import Annotation, Build, Fold, Inspection, LogFile, LogState

logger = logging.getLogger(__name__)

READ_BYTES = 128 * 1024
"""What is looked at at once: taking the colours out of it holds the interpreter's lock for two milliseconds. More than
MAX_UNENDED_BYTES, or a line that does not end would never be done with."""

MAX_LOOK_BYTES = 16 * 1024 * 1024
"""Of one log before the others have their turn: a fraction of a second."""

BATCH_ROWS = 500
"""Rows a statement."""


@dataclass(frozen=True)
class Look:
    """What came of looking at one log: from `log.looked_bytes` up to `stop`. `is_finished`: nothing more is written."""

    log: LogFile
    inspector: Inspector
    stop: int
    is_through: bool
    is_new: bool
    has_more: bool
    is_finished: bool

    @property
    def is_news(self) -> bool:
        """Whether there is anything to write down."""
        return self.is_new or self.is_through or self.stop != self.log.looked_bytes

    @property
    def found_any(self) -> bool:
        """Whether the log has errors or warnings."""
        return bool(self.inspector.errors or self.inspector.warnings)


def unfinished_looks() -> QuerySet[LogFile]:
    """The logs that are not looked through: an index of its own holds these rows and no others."""
    return LogFile.objects.filter(looked_through=False, storage_key__isnull=False)


def states_of(logs: Sequence[LogFile]) -> dict[int, dict[str, Any]]:
    """What was noted when these were last looked at."""
    return dict(Inspection.objects.filter(log__in=[log.pk for log in logs]).values_list("log", "state"))


def look_at(log: LogFile, state: dict[str, Any] | None, stopped: Callable[[], bool] = lambda: False) -> Look:
    """Look at what came since the last time, at most MAX_LOOK_BYTES. Nothing is written.

    Raises ChunkStoreError, OSError.
    """
    with chunk_store().reader(log.key) as reader:
        end = reader.end()
        is_new = end.size < log.looked_bytes  # a loss of power took back what had been looked at
        try:
            inspector = Inspector(None if is_new else state)
        except UnreadableState as error:
            logger.warning("log %s is looked at from its beginning again: no state of ours: %s", log.pk, error)
            is_new, inspector = True, Inspector()
        start = offset = 0 if is_new else log.looked_bytes
        while True:
            data = reader.read(offset, min(READ_BYTES, end.size - offset))
            is_last = end.finished and offset + len(data) >= end.size
            taken = inspector.feed(data, is_last=is_last, time_at=_times(reader, offset))
            offset += taken
            has_more = not is_last and taken > 0 and offset < end.size
            if not has_more or offset - start >= MAX_LOOK_BYTES or stopped():
                return Look(log, inspector, offset, is_last, is_new, has_more, end.finished)


def _times(reader: LogReader, offset: int) -> Callable[[int], int | None]:
    """Say when the bytes behind `offset` were written."""

    def time_at(place: int) -> int | None:
        frame = reader.frame(offset + place, max_bytes=1)
        return None if frame is None else frame.runs[0][2]

    return time_at


def write_down(looks: Sequence[Look]) -> None:
    """Write what was found of several logs in one transaction, then tell those who watch."""
    news = sorted((look for look in looks if look.is_news), key=lambda look: look.log.pk)  # as all who lock several
    if not news:
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            written = [look for look in news if _advance(cursor, look)]
        _store(written)
    for look in written:
        if look.is_through and look.found_any:
            _tell(look.log)


def _advance(cursor: CursorWrapper, look: Look) -> bool:
    """Move the log's row on; False where somebody else did, lines of it were redacted, or the log is gone.

    Without the ORM, which would take as long for a row as all the rest of a small look.
    """
    quote = connection.ops.quote_name
    names = ("looked_bytes", "looked_through", "errors", "warnings")
    cursor.execute(
        f"UPDATE {quote(LogFile._meta.db_table)} SET {', '.join(f'{quote(name)} = %s' for name in names)} "  # noqa: S608 - names of our own
        f"WHERE {quote('id')} = %s AND {quote('looked_bytes')} = %s AND NOT {quote('looked_through')} "
        f"AND {quote('redactions')} = %s",
        [
            look.stop,
            look.is_through,
            look.inspector.errors,
            look.inspector.warnings,
            look.log.pk,
            look.log.looked_bytes,
            look.log.redactions,
        ],
    )
    return bool(cursor.rowcount > 0)


def _store(looks: Sequence[Look]) -> None:
    """Store annotations, folds, and what is needed to go on."""
    for look in looks:
        if look.is_new:
            Annotation.objects.filter(log=look.log).delete()
            Fold.objects.filter(log=look.log).delete()
        if look.inspector.folds.forgotten:
            Fold.objects.filter(log=look.log, number__in=look.inspector.folds.forgotten).delete()
    Annotation.objects.bulk_create(
        [
            Annotation(
                log=look.log,
                line=each.line,
                level=each.level,
                message=each.message,
                path=each.path or "",
                path_line=each.path_line,
            )
            for look in looks
            for each in {each.line: each for each in look.inspector.annotations}.values()
        ],
        update_conflicts=True,
        unique_fields=["log", "line"],
        update_fields=["level", "message", "path", "path_line"],
        batch_size=BATCH_ROWS,
    )
    Fold.objects.bulk_create(
        [
            Fold(
                log=look.log,
                number=fold.number,
                start=fold.start,
                end=fold.end,
                name=fold.name,
                level=fold.level,
                seconds=fold.seconds,
            )
            for look in looks
            for fold in look.inspector.folds.changed.values()
        ],
        update_conflicts=True,
        unique_fields=["log", "number"],
        update_fields=["start", "end", "name", "level", "seconds"],
        batch_size=BATCH_ROWS,
    )
    Inspection.objects.bulk_create(
        [
            Inspection(
                log=look.log,
                state={} if look.is_through else look.inspector.state(),
                folds=look.inspector.folds.total,
            )
            for look in looks
        ],
        update_conflicts=True,
        unique_fields=["log"],
        update_fields=["state", "folds"],
        batch_size=BATCH_ROWS,
    )


def _tell(log: LogFile) -> None:
    """Tell who watches the build what a finished log has, by its `logFinished` again; of open ones feeds ask."""
    finished = LogFile.objects.filter(pk=log.pk, state=LogState.FINISHED)
    for build_id in finished.values_list("step__build_id", flat=True):  # none where the finish is still to be told
        with suppress(Build.DoesNotExist), transaction.atomic():
            repeat_event(lock_build(build_id), "logFinished", log.pk)
