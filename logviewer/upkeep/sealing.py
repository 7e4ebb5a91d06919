"""Sealing all finished logs: the database says which, the store does it, the database is told.

Several processes may do this at once, and be killed at any point: a log that was sealed, but whose row does not say so,
is sealed again, which changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from logviewer.chunkstore import ChunkStoreError, LogLocked, StorageFull
from logviewer.chunkstore.sealing import THREADS
from logviewer.live.retries import Retries
from logviewer.live.store import chunk_store
from logviewer.models import LogFile, LogForm, LogState
from logviewer.upkeep.batches import in_batches
from logviewer.upkeep.weighing import forget

logger = logging.getLogger(__name__)

BATCH_LOGS = 100
"""Rows a query; what is sealed is no longer found, so that the next query goes on from there."""


@dataclass
class Sealings:
    """What a round came to; `locked` are logs that another process was at, which is no failure."""

    sealed: int = 0
    locked: int = 0
    failed: int = 0
    text_bytes: int = 0
    sealed_bytes: int = 0


def waiting_logs() -> QuerySet[LogFile]:
    """Return the logs to be sealed, by id: an index of its own holds these rows and no others."""
    return LogFile.objects.filter(state=LogState.FINISHED, form=LogForm.PLAIN, storage_key__isnull=False).order_by("pk")


def seal_waiting(
    retries: Retries,
    *,
    threads: int = THREADS,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[], object] = lambda: None,
) -> Sealings:
    """Seal, one after the other, what is finished and plain, but for logs that failed lately.

    A log's failure is logged and does not hold up the next ones; a full disk does, until the next round. `stopped` is
    asked before each log, `progress` called after it.
    """
    sealings = Sealings()
    for log in in_batches(waiting_logs(), BATCH_LOGS):
        if stopped():
            break
        if retries.is_due(log.pk):
            try:
                seal_log(log, threads)
                retries.note_success(log.pk)
                sealings.sealed += 1
                sealings.text_bytes += log.size
                sealings.sealed_bytes += log.stored_bytes
            except LogLocked:
                sealings.locked += 1
            except (ChunkStoreError, OSError) as error:
                sealings.failed += 1
                pause_seconds = retries.note_failure(log.pk)
                logger.error("log %s is not sealed: %s; tried again in %g s", log.pk, error, pause_seconds)
                if isinstance(error, StorageFull):
                    break
        progress()
    return sealings


def seal_log(log: LogFile, threads: int = THREADS) -> None:
    """Seal one log and write into its row how it lies now; errors are those of ChunkStore.seal.

    Where a redaction came between the two, its row stands: it is right, or says plain and is found again.
    """
    store = chunk_store()
    log.stored_bytes = store.seal(log.key, log.text_sha256, threads).size_bytes
    log.form = LogForm(store.form(log.key))  # archived, where somebody moved it before its row said that it is sealed
    with transaction.atomic():
        forget(log.step_id)
        as_it_was = LogFile.objects.filter(pk=log.pk, redactions=log.redactions)
        as_it_was.update(form=log.form, stored_bytes=log.stored_bytes)
