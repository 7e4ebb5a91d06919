"""Having builds go: one at a time, in small transactions, each held against the rules again under its lock.

May be stopped or killed between any two of them, or in the middle of one, and run again, and several processes may do
it at once: nothing is remembered but what the rows say.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from logviewer.chunkstore import ArchiveAway, ChunkStoreError
from logviewer.live.retries import Retries
from logviewer.models import SERVER, Act, AuditEntry, Build, Project, RetentionTally
from logviewer.upkeep.deleting import Deleted, remove_build
from logviewer.upkeep.errors import Pinned, StillOpen
from logviewer.upkeep.leases import lease_time
from logviewer.upkeep.retention.candidates import Ruled, beyond_room, rooms, ruled_builders
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.sentence import policy_words

logger = logging.getLogger(__name__)

MAX_CHOSEN = 50_000
"""Builds chosen by one look, by their ids: less than a megabyte of memory."""


@dataclass
class Expired:
    """What a run came to; `failed` builds could not be deleted now, `away` is why it ended early, if it did."""

    builds: int = 0
    logs: int = 0
    stored_bytes: int = 0
    failed: int = 0
    away: str = ""


class Expiry:
    """Runs retention. Remembers what failed, so that the next run does not wait for it again."""

    def __init__(self, retries: Retries | None = None) -> None:
        self._retries = Retries() if retries is None else retries

    def run(self, projects: Iterable[Project], stopped: Callable[[], bool] = lambda: False) -> Expired:
        """Delete what the policies of these projects let go; ends early where `stopped()` says so."""
        found = Expired()
        for project in projects:
            if stopped() or found.away:
                break
            _settle(project)  # what a run before this one was killed with
            try:
                self._run_project(project, found, stopped)
            finally:
                _settle(project)
        return found

    def complete(self, stopped: Callable[[], bool] = lambda: False) -> Expired:
        """Complete deletions, of whomever, that were cut short, and say so in the audit log.

        One that began longer than a lease ago is nobody's any more; if it is, both do the same, and one comes last.
        """
        found = Expired()

        def record(build: Build, deleted: Deleted) -> None:
            reason = "completes a deletion that was cut short"
            AuditEntry.record(SERVER, Act.DELETE, build, reason=reason, logs=deleted.logs, bytes=deleted.stored_bytes)

        cut_short = Build.objects.filter(deletion_began_at__lt=timezone.now() - lease_time())
        self._delete(list(cut_short.values_list("pk", flat=True)[:MAX_CHOSEN]), record, lambda _: True, found, stopped)
        return found

    def _run_project(self, project: Project, found: Expired, stopped: Callable[[], bool]) -> None:
        record = _recorder(project)
        ruled = ruled_builders(project, timezone.now())
        for each in ruled:
            if each.protection.expires:
                self._expire(each, record, found, stopped)
        for max_total_bytes, sharing in rooms(ruled):
            self._make_room(max_total_bytes, sharing, record, found, stopped)

    def _expire(
        self, ruled: Ruled, record: Callable[[Build, Deleted], None], found: Expired, stopped: Callable[[], bool]
    ) -> None:
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
        record: Callable[[Build, Deleted], None],
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
        record: Callable[[Build, Deleted], None],
        is_wanted: Callable[[Build], bool],
        found: Expired,
        stopped: Callable[[], bool],
    ) -> None:
        """Delete these builds, as far as they are still to go."""
        for build_id in build_ids:
            if stopped():
                return
            if not self._retries.is_due(build_id):
                continue
            try:
                deleted = remove_build(build_id, record, is_wanted)
            except (Build.DoesNotExist, Pinned, StillOpen):
                continue  # another process was first, or somebody changed their mind
            except ArchiveAway as away:
                found.away = str(away)
                logger.warning("nothing more is deleted: %s", away)
                return
            except (ChunkStoreError, OSError) as error:
                found.failed += 1
                pause_seconds = self._retries.note_failure(build_id)
                logger.warning("build %s is not deleted: %s; tried again in %g s", build_id, error, pause_seconds)
                continue
            self._retries.note_success(build_id)
            if deleted is not None:
                found.builds += 1
                found.logs += deleted.logs
                found.stored_bytes += deleted.stored_bytes


def _chosen(max_total_bytes: int, sharing: list[Ruled]) -> list[int]:
    """The ids of builds that go for want of room; the query is over when this returns, before anything is deleted."""
    return [each.build_id for each in islice(beyond_room(max_total_bytes, sharing, 0), MAX_CHOSEN)]


def _recorder(project: Project) -> Callable[[Build, Deleted], None]:
    """What adds a deletion to the project's tally, in the transaction of the deletion."""
    RetentionTally.objects.get_or_create(project=project)

    def record(_build: Build, deleted: Deleted) -> None:
        RetentionTally.objects.filter(project=project).update(
            builds=F("builds") + 1,
            logs=F("logs") + deleted.logs,
            stored_bytes=F("stored_bytes") + deleted.stored_bytes,
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
