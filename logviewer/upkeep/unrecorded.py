"""Finishes that the store has and the database not: the server was killed between the two."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from logviewer.chunkstore import ChunkStoreError
from logviewer.intake.output import finish_log
from logviewer.live.store import chunk_store
from logviewer.models import LogFile, LogState

logger = logging.getLogger(__name__)

BATCH_LOGS = 200
"""How many open logs are looked at in a round: two opens each, on a thread of its own."""

QUIET_TIME = timedelta(minutes=1)
"""Since the last write: whoever finishes a log writes its row at once, or not at all."""


def record_finishes(after_id: int = 0) -> int:
    """Look at open logs of ids above `after_id` that were not written lately; finish in the database what is finished.

    The outcome is that of a finish without the writer's values. Returns the last id looked at, 0 where those were all.
    """
    quiet = LogFile.objects.filter(state=LogState.OPEN, pk__gt=after_id, storage_key__isnull=False)
    batch = list(
        quiet.filter(written_at__lt=timezone.now() - QUIET_TIME).select_related("step").order_by("pk")[:BATCH_LOGS]
    )
    for log in batch:
        try:
            with chunk_store().reader(log.key) as reader:
                finished = reader.end().finished
            if finished:
                finish_log(log, received=None, sha256=None, unverified=False)
                logger.warning("log %s was finished, but not in the database: it is now", log.pk)
        except (ChunkStoreError, OSError) as error:
            logger.debug("log %s cannot be looked at: %s", log.pk, error)  # who reads or verifies it is told
    return batch[-1].pk if len(batch) == BATCH_LOGS else 0
