"""Deleting finished builds and logs: their files first, then their rows.

In between the rows lead to nothing, and deleting again completes it: nothing that was to be deleted outlives a crash
where nobody looks for it. A row says that its deletion began, and upkeep completes what was cut short; a log is gone
from then on for all others, beside those of its build that stay. Who watches what is deleted is told 4410 within a
second, as the row is gone then; lists, and the build of a log that went, have a version more, which brings them a
snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from logviewer.intake.changes import lock_build, lock_builds, raise_version
from logviewer.live.store import chunk_store
from logviewer.models import Act, Actor, AuditEntry, Build, Builder, BuildState, LogFile, LogState, Project, Redaction
from logviewer.upkeep.errors import NotEmpty, Pinned, StillOpen
from logviewer.upkeep.weighing import forget, taken_bytes


@dataclass(frozen=True)
class Deleted:
    """How many logs went, and how many bytes they took in the store."""

    logs: int
    stored_bytes: int


def delete_build(build_id: int, actor: Actor, reason: str = "") -> Deleted:
    """Delete a finished build with all of its logs, and say so in the audit log.

    With the first file there is no way back: whoever began it stands there from then on, whoever ends it.

    Raises:
        Build.DoesNotExist: it is gone already.
        Pinned, StillOpen: it may not be deleted, and all of it is there.
        LogLocked, ArchiveAway: some of its files are gone; do it again, or upkeep will.
    """

    def record(build: Build, going: Deleted) -> None:
        AuditEntry.record(actor, Act.DELETE, build, reason=reason, logs=going.logs, bytes=going.stored_bytes)

    deleted = empty_build(build_id, begun=record)
    assert deleted is not None  # nobody has changed their mind
    if not drop_builds({build_id: deleted}):
        raise Build.DoesNotExist
    return deleted


def empty_build(
    build_id: int,
    wanted: Callable[[Build], bool] = lambda _build: True,
    begun: Callable[[Build, Deleted], object] = lambda _build, _going: None,
) -> Deleted | None:
    """Delete the files of a finished build; its rows are for `drop_builds`.

    None, and nothing is done, where it is not `wanted` any more. `wanted` is asked and `begun` called with the locked
    build in the transaction that begins the deletion. What was begun before is not begun again. Raises as
    `delete_build`.
    """
    with transaction.atomic():
        build = lock_build(build_id)
        if build.deletion_began_at is None:
            logs = _logs_to_delete(build, LogFile.including_deleted.filter(step__build=build))
            if build.state != BuildState.FINISHED:
                raise StillOpen("build")
            if not wanted(build):
                return None
            build.deletion_began_at = timezone.now()
            build.save(update_fields=["deletion_began_at"])
            begun(build, _all_of(logs))
        else:  # some of its files are gone: there is no way back
            logs = list(LogFile.including_deleted.filter(step__build=build))
    return _delete_files(logs)


def drop_builds(
    emptied: Mapping[int, Deleted], ended: Callable[[Sequence[tuple[Build, Deleted]]], object] = lambda _dropped: None
) -> list[int]:
    """Delete the rows of builds that were emptied, by their ids, in one transaction; return the ids of those that went.

    Another process may have been first with some. `ended` is called with the others, locked, in the transaction.
    """
    with transaction.atomic():
        builds = list(lock_builds(emptied))
        ids = [build.pk for build in builds]
        if not ids:
            return []
        _wait_for_insight(LogFile.including_deleted.filter(step__build__in=ids))
        ended([(build, emptied[build.pk]) for build in builds])
        Build.objects.filter(pk__in=ids).delete()
        for project_id in sorted({build.builder.project_id for build in builds}):
            raise_version(project_id)
    return ids


def delete_log(log_id: int, actor: Actor, reason: str = "") -> Deleted:
    """Delete one finished log, and say so in the audit log; its build and step stay.

    There is no way back, and whoever began it stands there, as with a build. Raises as `delete_build`,
    LogFile.DoesNotExist.
    """
    log = _begin_with_log(log_id, actor, reason)
    deleted = _delete_files([log])
    with transaction.atomic():
        lock_build(log.step.build_id)
        row = LogFile.including_deleted.filter(pk=log_id)
        _wait_for_insight(row)
        row.get().delete()
    return deleted


def _begin_with_log(log_id: int, actor: Actor, reason: str) -> LogFile:
    """Say that the log's deletion has begun, unless it says so already."""
    logs = LogFile.including_deleted.select_related("step__build__builder__project").filter(pk=log_id)
    with transaction.atomic():
        build = lock_build(logs.values_list("step__build_id", flat=True).get())
        log = logs.get()
        if log.deletion_began_at is None:
            going = _all_of(_logs_to_delete(build, [log]))
            forget(log.step_id)
            log.deletion_began_at = timezone.now()
            log.save(update_fields=["deletion_began_at"])
            Redaction.objects.filter(log=log).delete()  # its lines go with all others
            AuditEntry.record(actor, Act.DELETE, log, reason=reason, bytes=going.stored_bytes)
            build.version += 1
            build.save(update_fields=["version"])
    return log


def delete_project(project_id: int, actor: Actor, reason: str = "") -> None:
    """Delete a project that has no builders (any more), with its tokens.

    Raises:
        Project.DoesNotExist: it is gone already.
        NotEmpty: it has builders.
    """
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=project_id)  # nobody adds a builder meanwhile
        if project.builders.exists():
            raise NotEmpty("project", "builders")
        AuditEntry.record(actor, Act.DELETE, project, reason=reason)
        project.delete()


def delete_builder(builder_id: int, actor: Actor, reason: str = "") -> None:
    """Delete a builder that has no builds (any more). Raises as `delete_project`, Builder.DoesNotExist."""
    with transaction.atomic():
        builder = Builder.objects.select_related("project").select_for_update(of=("self",)).get(pk=builder_id)
        if builder.builds.exists():
            raise NotEmpty("builder", "builds")
        AuditEntry.record(actor, Act.DELETE, builder, reason=reason)
        builder.delete()


def _logs_to_delete(build: Build, logs: Iterable[LogFile]) -> list[LogFile]:
    """Those logs of a locked build, if it may be deleted."""
    if build.pinned:
        raise Pinned
    found = list(logs)
    if any(log.state != LogState.FINISHED for log in found):
        raise StillOpen("log")
    return found


def _delete_files(logs: list[LogFile]) -> Deleted:
    for log in logs:
        if log.storage_key is not None:
            chunk_store().delete(log.storage_key)
    return _all_of(logs)


def _wait_for_insight(logs: QuerySet[LogFile]) -> None:
    """Lock rows in the order in which insight does, which adds what it found to a log without the build's lock.

    On PostgreSQL a deletion would else not know of what is just being added, and fail at its commit.
    """
    list(logs.select_for_update(of=("self",)).order_by("pk").values_list("pk"))


def _all_of(logs: list[LogFile]) -> Deleted:
    return Deleted(len(logs), sum(taken_bytes(log) for log in logs))
