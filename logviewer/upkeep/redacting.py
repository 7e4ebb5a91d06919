"""Redacting lines of finished logs: asked for in the database, done in the store, told to the database.

The request and its audit entry are one transaction. From then on the lines will go: what a crash, another store that is
away, or another process at the log held up, upkeep does a little later, as often as it takes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone

from logviewer.chunkstore import ChunkStoreError, NoSuchLine, NoSuchLog, Redacted
from logviewer.intake.changes import lock_build, repeat_event
from logviewer.live import announce
from logviewer.live.retries import Retries
from logviewer.live.store import chunk_store
from logviewer.models import (
    Act,
    Actor,
    Annotation,
    AuditEntry,
    Completeness,
    Fold,
    Inspection,
    LogFile,
    LogForm,
    LogState,
    Redaction,
)
from logviewer.upkeep.batches import in_batches
from logviewer.upkeep.choosing import get_log
from logviewer.upkeep.errors import NoSuchLines, StillOpen
from logviewer.upkeep.lost import LOST_AND_FOUND

logger = logging.getLogger(__name__)

HEAD_START = timedelta(seconds=5)
"""What was asked for so lately is being done by who asked."""

BATCH_REDACTIONS = 100


@dataclass
class Redactions:
    """What a round came to."""

    done: int = 0
    failed: int = 0


def redact_lines(log_id: int, start: int, end: int, actor: Actor, reason: str) -> LogFile:
    """Overwrite the lines `start` to `end` (from 1, both included) of a finished log, for good.

    Raises:
        LogFile.DoesNotExist: the log is gone.
        StillOpen, NoSuchLines: nothing was redacted, and nothing will be.
        LogLocked, ArchiveAway, StorageFull, CorruptSealed: it was not redacted yet, and will be once that is over.
    """
    with transaction.atomic():
        log = get_log(log_id)
        lock_build(log.step.build_id)
        log = get_log(log_id)
        if log.state != LogState.FINISHED:
            raise StillOpen("log")
        if not 1 <= start <= end <= log.lines:
            raise NoSuchLines(start, end, log.lines)
        redaction, is_new = Redaction.objects.get_or_create(log=log, start=start, end=end)
        if is_new:
            AuditEntry.record(actor, Act.REDACT, log, reason=reason, start=start, end=end)
    return _redact(redaction)


def redact_waiting(
    retries: Retries, *, stopped: Callable[[], bool] = lambda: False, head_start: timedelta = HEAD_START
) -> Redactions:
    """Do what was asked for and not done yet; a failure is logged, and does not hold up the next ones."""
    round_ = Redactions()
    waiting = Redaction.objects.filter(asked_at__lte=timezone.now() - head_start).select_related("log")
    for redaction in in_batches(waiting, BATCH_REDACTIONS):
        if stopped():
            break
        if not retries.is_due(redaction.pk):
            continue
        try:
            _redact(redaction)
            retries.note_success(redaction.pk)
            round_.done += 1
        except LogFile.DoesNotExist:
            continue  # deleted meanwhile, and the row with it
        except (NoSuchLog, NoSuchLine) as error:  # there is nothing to overwrite, however often it is tried
            logger.error("lines %d to %d of log %s cannot be redacted: %s", *_lines(redaction), error)
            redaction.delete()
            round_.failed += 1
        except (ChunkStoreError, OSError) as error:
            pause_seconds = retries.note_failure(redaction.pk)
            logger.error(
                "lines %d to %d of log %s are not redacted yet: %s; tried again in %g s",
                *_lines(redaction),
                error,
                pause_seconds,
            )
            round_.failed += 1
    return round_


def _lines(redaction: Redaction) -> tuple[int, int, int]:
    return redaction.start, redaction.end, redaction.log_id


def _redact(redaction: Redaction) -> LogFile:
    """Overwrite the lines in the store, then whatever the database has of them; may be repeated."""
    store = chunk_store()
    redacted = store.redact(redaction.log.key, redaction.start, redaction.end)
    _forget_put_aside(store.root, redaction.log.key)
    try:
        return _tell_database(redaction, redacted)
    except LogFile.DoesNotExist:
        store.delete(redaction.log.key)  # deleted meanwhile: what was just written would be nobody's
        raise


def _tell_database(redaction: Redaction, redacted: Redacted) -> LogFile:
    with overwriting_rows(), transaction.atomic():
        log = get_log(redaction.log_id)
        build = lock_build(log.step.build_id)
        log = get_log(redaction.log_id)
        build.stored_bytes = None  # weighed anew
        _write_row(log, redacted)
        forget_findings(log)
        Redaction.objects.filter(pk=redaction.pk).delete()
        repeat_event(build, "logFinished", log.pk)
    announce.log_grew(log.pk, log.size)
    return log


def _write_row(log: LogFile, redacted: Redacted) -> None:
    """Write what the store says now; the log may have moved back here from the other store."""
    log.sha256, log.text_sha256 = None, redacted.text_sha256
    log.omitted = redacted.end.omitted
    if log.omitted:
        log.completeness = Completeness.OMITTED
    log.form, log.stored_bytes = LogForm(redacted.form), redacted.stored_bytes
    log.redactions += 1
    log.save()


def forget_findings(log: LogFile) -> None:
    """Delete what was found in a log's text, and may quote it: it is looked for again, in the text as it is now."""
    for found in (Annotation, Fold, Inspection):
        found.objects.filter(log=log).delete()
    log.errors = log.warnings = log.looked_bytes = 0
    log.looked_through = False
    log.save(update_fields=["errors", "warnings", "looked_bytes", "looked_through"])


def _forget_put_aside(root: Path, key: str) -> None:
    """Remove what verification put aside of this log, which nobody reads any more but its keeper."""
    directory, _, name = key.rpartition("/")
    for path in (root.parent / LOST_AND_FOUND / directory).glob(f"{name}.*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def overwriting_rows() -> Iterator[None]:
    """While this lasts SQLite overwrites what it deletes, and afterwards it empties its write-ahead log.

    PostgreSQL keeps dead rows until its next vacuum, where only a superuser can look (ADR 26).
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete = ON")
        yield
        if not connection.in_atomic_block:  # else it is a test's, around everything
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
