"""Taking output: store it, then announce it.

Synchronous, like the store: callers on an event loop use threads. The row in the database follows the store
(`counters`), and nothing here waits for it but the finish.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from logviewer.chunkstore import LOCK_WAIT_SECONDS, NO_LIMITS, Appended, Entry, Finished, Limits
from logviewer.intake import counters
from logviewer.intake.changes import keep_alive, lock_build, note_life, record_event
from logviewer.live import announce
from logviewer.live.store import chunk_store
from logviewer.models import Completeness, LogFile, LogState
from logviewer.models.states import check_transition

FINISH_FIELDS = (
    "size",
    "lines",
    "received",
    "omitted",
    "sha256",
    "text_sha256",
    "state",
    "finished_at",
    "completeness",
)


def append_output(
    log_id: int,
    key: str,
    entries: Sequence[Entry],
    *,
    offset: int | None = None,
    skip: int = 0,
    lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    limits: Limits = NO_LIMITS,
) -> Appended:
    """Store `entries` at the log's end and announce them; its row, and its build's heartbeat, follow by themselves.

    Args:
        log_id: the log's id, for the announcement.
        key: the log's storage key.
        entries: what was written, in order.
        offset: payload bytes the writer believes stored before these; None appends them as they come.
        skip: payload bytes from `offset` on that the writer has lost.
        lock_wait_seconds: how long another writer of the log is waited for.
        limits: how much of the log is kept (`limits.log_limits`); what is imported is taken in whole.

    Raises:
        ChunkStoreError: one of its kinds; nothing was stored then.
    """
    appended = chunk_store().append(
        key, entries, offset=offset, skip=skip, lock_wait_seconds=lock_wait_seconds, limits=limits
    )
    announce.log_grew(log_id, appended.end.size)
    counters.note(log_id, appended.end)
    return appended


def finish_log(log: LogFile, *, received: int | None, sha256: str | None, unverified: bool) -> LogFile:
    """Finish the log: store first, then its row, then the announcements. May be repeated with the same outcome.

    Args:
        log: the log, open or finished.
        received: how many payload bytes the writer sent, if it says so.
        sha256: their SHA-256 in hex, if it says so.
        unverified: finish even where these do not agree with what is stored.

    Raises:
        Mismatch: they do not agree; the log stays open.
    """
    finished = chunk_store().finish(log.key, received=received, sha256=sha256, unverified=unverified)
    with transaction.atomic():
        build = lock_build(log.step.build_id)
        row = LogFile.objects.get(pk=log.pk)
        news = row.state != LogState.FINISHED
        if row.redactions == log.redactions:  # else the store was asked before its text became another
            record_finish(row, finished)
        if news:
            build.stored_bytes = None  # upkeep adds it up anew
            note_life(build)
            record_event(build, "logFinished", log.pk)
        else:
            keep_alive(build)
    announce.log_grew(log.pk, finished.end.size)
    row.step = log.step
    return row


def record_finish(row: LogFile, finished: Finished, at: datetime | None = None) -> None:
    """Write what the store says of a finished log into its row; it ended now, or at another time."""
    check_transition("log", row.state, LogState.FINISHED)
    row.size = finished.end.size
    row.lines = finished.end.lines
    row.received = finished.end.received
    row.omitted = finished.end.omitted
    row.sha256 = finished.sha256
    row.text_sha256 = finished.text_sha256
    if row.state != LogState.FINISHED:
        row.state = LogState.FINISHED
        row.finished_at = at or timezone.now()
    row.completeness = _completeness(row, finished)
    row.save(update_fields=FINISH_FIELDS)  # what insight counts meanwhile stays


def _completeness(row: LogFile, finished: Finished) -> Completeness:
    """How sure it is that the log is whole; a log once verified stays so when its finish is repeated without values.

    One that was finished for its silent writer becomes verified if that comes after all and its values are the same.
    """
    if finished.end.omitted:
        return Completeness.OMITTED
    if finished.verified or row.completeness == Completeness.VERIFIED:
        return Completeness.VERIFIED
    if row.completeness == Completeness.ABANDONED:
        return Completeness.ABANDONED
    return Completeness.UNVERIFIED
