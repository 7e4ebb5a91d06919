"""Signs of life: output is one as well, and brings back what was given up."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.utils import timezone

from logviewer.intake.builds import note_heartbeat
from logviewer.intake.changes import heartbeat_precision
from logviewer.models import Build, LogFile, LogState

logger = logging.getLogger(__name__)

MAX_IDS = 500
"""In one query: SQLite may be built for no more than 999."""


def note_output(log_ids: Sequence[int]) -> None:
    """Note that the writers of these logs' builds live; a build that was given up comes back, with its steps and logs.

    Logs that are finished say nothing. Costs a query, seldom a write. It is called behind the acknowledgement
    (`counters.note`).
    """
    for start in range(0, len(log_ids), MAX_IDS):
        open_logs = LogFile.objects.filter(pk__in=log_ids[start : start + MAX_IDS]).exclude(state=LogState.FINISHED)
        builds = Build.objects.filter(pk__in=open_logs.values("step__build"))
        for build in builds.only("heartbeat_at", "abandoned_at"):
            _note_life(build)


def _note_life(build: Build) -> None:
    now = timezone.now()
    if build.abandoned_at is None:
        if now - build.heartbeat_at < heartbeat_precision():
            return
        if Build.objects.filter(pk=build.pk, abandoned_at__isnull=True).update(heartbeat_at=now):
            return
    try:
        note_heartbeat(build.pk)
    except Build.DoesNotExist:
        logger.debug("build %s was deleted while its output came in", build.pk)
