"""Closing a build as abandoned at somebody's word, instead of an hour and a day after its writer's last."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from logviewer.intake.silence import abandon_build, end_abandoned_build
from logviewer.models import Act, Actor, AuditEntry, Build, BuildState, LogFile, LogState
from logviewer.upkeep.errors import AlreadySo, NotYet, WriterHeard

LEAST_SILENCE_SECONDS = 120.0
"""Two of the agents' heartbeats: whoever was heard since then may be building yet."""


def least_silence() -> timedelta:
    """How long a writer must have been silent for its build to be closed."""
    return timedelta(seconds=min(LEAST_SILENCE_SECONDS, settings.ABANDON_AFTER_SECONDS))


def close_build(build_id: int, actor: Actor, reason: str = "") -> None:
    """End a build and its open logs as silence would: results `exception`, completeness `abandoned`.

    Raises:
        Build.DoesNotExist: it was deleted.
        AlreadySo: nothing of it is open.
        WriterHeard: its writer lives.
        NotYet: it came back meanwhile.
        ChunkStoreError: a log cannot be read or finished; do it again.
    """
    build = Build.objects.select_related("builder__project").get(pk=build_id)
    open_logs = LogFile.objects.filter(step__build=build).exclude(state=LogState.FINISHED).count()
    if build.state == BuildState.FINISHED and not open_logs:
        raise AlreadySo("the build is finished, and all of its logs are")
    silent_since = timezone.now() - least_silence()
    if build.heartbeat_at >= silent_since:
        raise WriterHeard((timezone.now() - build.heartbeat_at).total_seconds())
    is_given_up = build.abandoned_at is None and abandon_build(build_id, silent_since)
    if is_given_up:  # it shows from now on, whatever becomes of the rest
        AuditEntry.record(actor, Act.CLOSE, build, reason=reason, logs=open_logs)
    if not end_abandoned_build(build_id, silent_since):
        raise NotYet("its writer came back, or something of it is just being finished: look at it again")
    if not is_given_up:
        AuditEntry.record(actor, Act.CLOSE, build, reason=reason, logs=open_logs)
