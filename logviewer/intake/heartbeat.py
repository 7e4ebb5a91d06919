"""Signs of life: output is one as well, and brings back what was given up."""

from __future__ import annotations

import logging

from django.utils import timezone

from logviewer.intake.builds import note_heartbeat
from logviewer.intake.changes import heartbeat_precision
from logviewer.models import Build

logger = logging.getLogger(__name__)


def note_output(log_id: int) -> None:
    """Note that the writer of the log's build lives; one that was given up comes back, with its steps and logs.

    Costs a query, seldom a write. It is called behind the acknowledgement (`counters.note`).
    """
    now = timezone.now()
    build = Build.objects.filter(steps__logs=log_id).only("heartbeat_at", "abandoned_at").first()
    if build is None:
        return
    if build.abandoned_at is None:
        if now - build.heartbeat_at < heartbeat_precision():
            return
        if Build.objects.filter(pk=build.pk, abandoned_at__isnull=True).update(heartbeat_at=now):
            return
    try:
        note_heartbeat(build.pk)
    except Build.DoesNotExist:
        logger.debug("build %s was deleted while its output came in", build.pk)
