"""Having builds go: one at a time, in small transactions, each held against the rules again under its lock.

The rows of a few builds whose files are gone go together. May be stopped or killed between any two builds, or in the
middle of one, and run again, and several processes may do it at once: nothing is remembered but what the rows say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from logviewer.chunkstore import ArchiveAway, ChunkStoreError
from logviewer.live.retries import Retries
from logviewer.models import SERVER, Act, AuditEntry, Build, LogFile, Project, RetentionTally
from logviewer.upkeep.deleting import Deleted, delete_log, drop_builds, empty_build
from logviewer.upkeep.errors import Pinned, StillOpen
from logviewer.upkeep.leases import lease_time
from logviewer.upkeep.retention.candidates import Ruled, beyond_room, rooms, ruled_builders
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.sentence import policy_words

logger = logging.getLogger(__name__)

MAX_CHOSEN = 50_000
"""Builds chosen by one look, by their ids: less than a megabyte of memory."""

MAX_WAITING_LOGS = 200
MAX_WAITING_SECONDS = 1.0
"""How many logs' rows, and how long the first of them, may wait for those of others to go in one transaction: half of a
deletion's time are queries and syncs. Where that is cut short, upkeep completes these builds."""

CLOCK_WAS_SET = "the clock was set lately: no build goes by its age before it has been steady for an hour"

Record = Callable[[Sequence[tuple[Build, Deleted]]], None]
"""Told of builds with what went with them, in the transaction in which their rows go."""


@dataclass
class Expired:
    """What a run came to; `failed` builds or logs could not be deleted now, `away` is why it ended early, if it did.

    `gave_way`: it ended early, and goes on with the next run.
    """

    builds: int = 0
    logs: int = 0
    stored_bytes: int = 0
    failed: int = 0
    away: str = ""
    gave_way: bool = False


class Expiry:
    """Runs retention. Remembers what failed, so that the next run does not wait for it again.

    `resumes_at` is the id of the project in which the last run gave way, 0 where it did not.
    """

    def __init__(self, retries: Retries | None = None) -> None:
        self._retries = Retries() if retries is None else retries
        self._log_retries = Retries()
        self.resumes_at = 0

    def run(
        self,
        projects: Iterable[Project],
        stopped: Callable[[], bool] = lambda: False,
        is_steady: Callable[[], bool] = lambda: True,
        is_turn_over: Callable[[], bool] = lambda: False,
    ) -> Expired:
        """Delete what the policies of these projects let go; ends early where `stopped()` says so.

        And where `is_steady()`, asked before each build, says that a clock was set: ages are not believed then. Where
        `is_turn_over()` says that others wait it gives way, but not before it has deleted something or is through with
        a project: looking alone may take that long. The next run goes on with that project, if they come by id.
        """
        found = Expired()
        resumed, self.resumes_at = self.resumes_at, 0
        project_id, is_further = 0, False

        def ends() -> bool:
            if not is_steady():
                found.away = CLOCK_WAS_SET
            found.gave_way = found.gave_way or ((is_further or found.builds > 0) and is_turn_over())
            return bool(found.away) or found.gave_way or stopped()

        for chosen in projects:
            project_id = chosen.pk
            if ends():
                break
            self._run_project(project_id, found, ends, is_resumed=project_id == resumed)
            if found.gave_way:
                break
            is_further = True
        if found.gave_way:
            self.resumes_at = project_id
        return found

    def complete(self, stopped: Callable[[], bool] = lambda: False) -> Expired:
        """Complete deletions, of whomever, that were cut short, and say so in the audit log.

        One that began longer than a lease ago is nobody's any more; if it is, both do the same, and one comes last.
        """
        found = Expired()

        def record(dropped: Sequence[tuple[Build, Deleted]]) -> None:
            reason = "completes a deletion that was cut short"
            for build, deleted in dropped:
                counts = {"logs": deleted.logs, "bytes": deleted.stored_bytes}
                AuditEntry.record(SERVER, Act.DELETE, build, reason=reason, **counts)

        before = timezone.now() - lease_time()
        builds = Build.objects.filter(deletion_began_at__lt=before)
        self._delete(list(builds.values_list("pk", flat=True)[:MAX_CHOSEN]), record, lambda _: True, found, stopped)
        logs = LogFile.including_deleted.filter(deletion_began_at__lt=before)  # the audit log has them already
        for log_id in list(logs.values_list("pk", flat=True)[:MAX_CHOSEN]):
            if found.away or stopped():
                break
            deleted = _deleted("log", log_id, partial(delete_log, log_id, SERVER), self._log_retries, found)
            if deleted is not None:
                found.logs += 1
                found.stored_bytes += deleted.stored_bytes
        return found

    def _run_project(self, project_id: int, found: Expired, stopped: Callable[[], bool], *, is_resumed: bool) -> None:
        """Have go what one project lets go, and say so once at the end, however often it gave way."""
        project = _with_tally(project_id)
        if project is None:  # it was deleted since the run began
            return
        if not is_resumed:
            _settle(project)  # what a run before this one was killed with
        try:
            record = _recorder(project)
            ruled = ruled_builders(project, timezone.now())
            for each in ruled:
                if each.protection.expires:
                    self._expire(each, record, found, stopped)
            for max_total_bytes, sharing in rooms(ruled):
                self._make_room(max_total_bytes, sharing, record, found, stopped)
        finally:
            if not found.gave_way:
                _settle(project)

    def _expire(self, ruled: Ruled, record: Record, found: Expired, stopped: Callable[[], bool]) -> None:
        """Delete what goes of one builder by itself."""
        last_number = -1
        while not stopped() and not found.away:
            chosen = list(ruled.expired().filter(number__gt=last_number).values_list("pk", "number")[:MAX_CHOSEN])
            if not chosen:
                return
            last_number = chosen[-1][1]
            self._delete((build_id for build_id, _ in chosen), record, ruled.is_expired, found, stopped)

    def _make_room(
        self,
        max_total_bytes: int,
        sharing: list[Ruled],
        record: Record,
        found: Expired,
        stopped: Callable[[], bool],
    ) -> None:
        """Delete the oldest builds until the others fit, or no more can be deleted."""
        of_builder = {each.builder.pk: each for each in sharing}

        def is_wanted(build: Build) -> bool:
            return not of_builder[build.builder_id].is_spared(build)

        before = -1
        while found.builds != before and not stopped() and not found.away:
            before = found.builds
            self._delete(_chosen(max_total_bytes, sharing), record, is_wanted, found, stopped)

    def _delete(
        self,
        build_ids: Iterable[int],
        record: Record,
        is_wanted: Callable[[Build], bool],
        found: Expired,
        stopped: Callable[[], bool],
    ) -> None:
        """Delete these builds, as far as they are still to go: one by one their files, the rows of some together."""
        emptied: dict[int, Deleted] = {}
        rows_go_at = 0.0
        try:
            for build_id in build_ids:
                if found.away or stopped():
                    return
                deleted = _deleted("build", build_id, partial(empty_build, build_id, is_wanted), self._retries, found)
                if deleted is None:
                    continue
                rows_go_at = rows_go_at if emptied else time.monotonic() + MAX_WAITING_SECONDS
                emptied[build_id] = deleted
                if sum(each.logs for each in emptied.values()) >= MAX_WAITING_LOGS or time.monotonic() >= rows_go_at:
                    _drop(emptied, record, found)
        finally:
            _drop(emptied, record, found)


def _deleted(
    noun: str, noun_id: int, delete: Callable[[], Deleted | None], retries: Retries, found: Expired
) -> Deleted | None:
    """Delete a build's files, or a log; None where it does not go, or not now."""
    if not retries.is_due(noun_id):
        return None
    try:
        deleted = delete()
    except (ObjectDoesNotExist, Pinned, StillOpen):
        return None  # another process was first, or somebody changed their mind
    except ArchiveAway as away:
        found.away = str(away)
        logger.warning("nothing more is deleted: %s", away)
        return None
    except (ChunkStoreError, OSError) as error:
        found.failed += 1
        pause_seconds = retries.note_failure(noun_id)
        logger.warning("%s %s is not deleted: %s; tried again in %g s", noun, noun_id, error, pause_seconds)
        return None
    retries.note_success(noun_id)
    return deleted


def _drop(emptied: dict[int, Deleted], record: Record, found: Expired) -> None:
    """Delete the rows of builds whose files are gone, count them, and forget them."""
    if not emptied:
        return
    for build_id in drop_builds(emptied, record):
        found.builds += 1
        found.logs += emptied[build_id].logs
        found.stored_bytes += emptied[build_id].stored_bytes
    emptied.clear()


def _chosen(max_total_bytes: int, sharing: list[Ruled]) -> list[int]:
    """The ids of builds that go for want of room; the query is over when this returns, before anything is deleted."""
    return [each.build_id for each in islice(beyond_room(max_total_bytes, sharing, 0), MAX_CHOSEN)]


def _with_tally(project_id: int) -> Project | None:
    """The project as it is now, which has a tally from then on; None where it is gone."""
    with transaction.atomic():
        project = Project.objects.select_for_update().filter(pk=project_id).first()
        if project is not None:
            RetentionTally.objects.get_or_create(project=project)
    return project


def _recorder(project: Project) -> Record:
    """What adds deletions to the project's tally, in their transaction."""

    def record(dropped: Sequence[tuple[Build, Deleted]]) -> None:
        RetentionTally.objects.filter(project=project).update(
            builds=F("builds") + len(dropped),
            logs=F("logs") + sum(deleted.logs for _, deleted in dropped),
            stored_bytes=F("stored_bytes") + sum(deleted.stored_bytes for _, deleted in dropped),
        )

    return record


def _settle(project: Project) -> None:
    """Make what was deleted since the last time one entry of the audit log: builds, logs, bytes and the policy."""
    with transaction.atomic():
        tally = RetentionTally.objects.select_for_update().filter(project=project, builds__gt=0).first()
        if tally is None:
            return
        AuditEntry.record(
            SERVER,
            Act.EXPIRE,
            project,
            reason=f"Retention: {policy_words(Policy.of(project))}",
            builds=tally.builds,
            logs=tally.logs,
            bytes=tally.stored_bytes,
        )
        tally.builds = tally.logs = tally.stored_bytes = 0
        tally.save()
