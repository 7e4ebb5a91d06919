"""Writers that went silent: their builds are given up, and later ended for them. Nothing is lost by either."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from logviewer.chunkstore import Mismatch
from logviewer.intake.builds import end_build
from logviewer.intake.changes import lock_build, note_life, open_logs, record_event
from logviewer.intake.output import record_finish
from logviewer.live import announce
from logviewer.live.store import chunk_store
from logviewer.models import Build, BuildState, Completeness, LogFile, LogState, Results, StepState


def abandon_build(build_id: int, silent_since: datetime) -> bool:
    """Give up what is not finished of a build whose writer was not heard since `silent_since`; False if it was.

    The rows of its logs say afterwards how much the store has received: that is how `end_log` sees that more came.

    Raises:
        Build.DoesNotExist: it was deleted meanwhile.
        ChunkStoreError: a log cannot be read.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        logs = list(open_logs(build))
        if build.heartbeat_at >= silent_since:
            return False
        for log in list(logs):
            with chunk_store().reader(log.key) as reader:
                end = reader.end()
            if end.finished:  # its writer finished it, and the row will say so soon (`upkeep.unrecorded`)
                logs.remove(log)
                continue
            log.size, log.lines, log.received, log.omitted = end.size, end.lines, end.received, end.omitted
            log.state = LogState.ABANDONED
            log.save(update_fields=["size", "lines", "received", "omitted", "state"])
        if build.state == BuildState.FINISHED and not logs:
            return False
        if build.state != BuildState.FINISHED:
            build.state = BuildState.ABANDONED
            build.steps.filter(state=StepState.RUNNING).update(state=StepState.ABANDONED)
        build.abandoned_at = timezone.now()
        record_event(build, "buildAbandoned", build.pk)
    return True


def end_abandoned_build(build_id: int, silent_since: datetime) -> bool:
    """Finish the logs of a build that was given up, then the build, where its writer was not heard since then either.

    The build and its steps end with `exception`, at the writer's last sign of life. May be repeated where an error cut
    it short. Returns False where the writer came back.

    Raises:
        Build.DoesNotExist: it was deleted meanwhile.
        ChunkStoreError: a log cannot be finished.
    """
    for log_id in list(
        LogFile.objects.filter(step__build=build_id, state=LogState.ABANDONED).values_list("pk", flat=True)
    ):
        if not _end_log(build_id, log_id, silent_since):
            return False
    with transaction.atomic():
        build = lock_build(build_id)
        if _was_heard(build, silent_since) or open_logs(build).exists():
            return False
        if build.state == BuildState.ABANDONED:
            build.ended_by_silence = True
            build.abandoned_at = None
            end_build(build, Results.EXCEPTION, build.heartbeat_at)
        else:
            build.abandoned_at = None
            build.save(update_fields=["abandoned_at"])
    return True


def _end_log(build_id: int, log_id: int, silent_since: datetime) -> bool:
    """Finish one log, unless the writer came back.

    The build's lock is held while the store finishes the log, so that a writer that comes back over REST comes either
    before, and is heeded, or after, and is told that the log is finished. Output does not take that lock: but it
    changes how much was received, and then the store refuses to finish.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        row = LogFile.objects.get(pk=log_id)
        if _was_heard(build, silent_since):
            return False
        if row.state != LogState.FINISHED:
            try:
                finished = chunk_store().finish(row.key, received=row.received)
            except Mismatch:
                note_life(build)
                return False
            record_finish(row, finished, at=row.written_at)
            row.completeness = Completeness.ABANDONED
            row.save(update_fields=["completeness"])
            build.stored_bytes = None  # as in every finish
            record_event(build, "logFinished", row.pk)
    announce.log_grew(row.pk, row.size)
    return True


def _was_heard(build: Build, silent_since: datetime) -> bool:
    return build.abandoned_at is None or build.heartbeat_at >= silent_since
