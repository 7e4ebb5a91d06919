"""Builds whose writers went silent: shown as abandoned, and a day later finished."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from logviewer.chunkstore import ChunkStoreError
from logviewer.intake.changes import heartbeat_precision
from logviewer.intake.silence import abandon_build, end_abandoned_build
from logviewer.live.retries import Retries
from logviewer.models import Build, BuildState, LogFile, LogState
from logviewer.upkeep.listening import listening_since

logger = logging.getLogger(__name__)

END_AFTER = timedelta(days=1)
"""How long a build stays abandoned before it is finished."""

MAX_BUILDS = 500
"""Of each kind in one round; the next one goes on."""

MAX_ROUND_SECONDS = 30.0
ROUNDS_IN_SILENCE = 10


@dataclass
class Silences:
    """What a round came to: builds given up, builds finished, builds of which something failed."""

    abandoned: int = 0
    ended: int = 0
    failed: int = 0


def round_seconds() -> float:
    """How often to look: not much later than a writer counts as silent."""
    return min(MAX_ROUND_SECONDS, settings.ABANDON_AFTER_SECONDS / ROUNDS_IN_SILENCE)


def give_up_silent(retries: Retries, stopped: Callable[[], bool] = lambda: False) -> Silences:
    """Give up builds whose writers are silent for ABANDON_AFTER_SECONDS, and end those given up a day ago.

    Nothing is done unless a server could have heard the writers all that time. May be run in several processes at once.
    """
    silences = Silences()
    now = timezone.now()
    silent_since = now - timedelta(seconds=settings.ABANDON_AFTER_SECONDS) - heartbeat_precision()
    since = listening_since(now)
    if since is None or since >= silent_since:
        return silences

    def deal(build_ids: list[int], do: Callable[[int], bool]) -> int:
        done = 0
        for build_id in build_ids:
            if stopped():
                break
            if not retries.is_due(build_id):
                continue
            try:
                done += do(build_id)
                retries.note_success(build_id)
            except Build.DoesNotExist:
                retries.note_success(build_id)
            except (ChunkStoreError, OSError) as error:
                silences.failed += 1
                pause_seconds = retries.note_failure(build_id)
                logger.error("build %s is silent: %s; looked at again in %g s", build_id, error, pause_seconds)
        return done

    given_up = Build.objects.filter(abandoned_at__lt=now - END_AFTER, heartbeat_at__lt=silent_since)
    silences.ended = deal(
        list(given_up.order_by("abandoned_at").values_list("pk", flat=True)[:MAX_BUILDS]),
        lambda build_id: end_abandoned_build(build_id, silent_since),
    )
    silent = Build.objects.filter(state=BuildState.RUNNING, heartbeat_at__lt=silent_since)
    late_logs = LogFile.objects.filter(
        state=LogState.OPEN,
        step__build__state=BuildState.FINISHED,
        step__build__heartbeat_at__lt=silent_since,
        step__build__abandoned_at__isnull=True,
    )
    silences.abandoned = deal(
        [
            *silent.order_by("pk").values_list("pk", flat=True)[:MAX_BUILDS],
            *late_logs.order_by("step__build").values_list("step__build", flat=True).distinct()[:MAX_BUILDS],
        ],
        lambda build_id: abandon_build(build_id, silent_since),
    )
    return silences
