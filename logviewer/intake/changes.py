"""Changing a build: one writer at a time, each event numbered, and announced when it is safely stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from logviewer.intake.errors import AlreadyFinished
from logviewer.live import announce
from logviewer.live.events import PROJECT_EVENTS, BuildEventName
from logviewer.models import Build, BuildState, LogFile, LogState, Project, StepState

MAX_PRECISION_SECONDS = 10.0
"""A build's row is written at most this often for its output, whatever the number of its logs."""

PRECISION_SHARE = 10
"""A tenth of what counts as silence is precise enough, too, where that is short."""

happened = Signal()
"""Sent with `build`, `event` and `subject_id` inside the transaction that records an event, for what has to be written
together with it by rooms that this one does not know; what a receiver raises undoes the event."""


def lock_build(build_id: int) -> Build:
    """Fetch a build for changing, to be called inside a transaction.

    Whoever changes a build, its steps or its list of logs takes this lock first: so numbers and slugs are unique, and
    versions follow each other without a hole. (SQLite has no row locks and needs none: its transactions begin
    IMMEDIATE, one writer after the other.)

    Raises:
        Build.DoesNotExist: it was deleted meanwhile.
    """
    return _locked().get(pk=build_id)


def lock_builds(build_ids: Iterable[int]) -> QuerySet[Build]:
    """As `lock_build`, those of several builds that there are, in the order in which all who lock several take them."""
    return _locked().filter(pk__in=list(build_ids)).order_by("pk")


def _locked() -> QuerySet[Build]:
    return Build.objects.select_related("builder__project").select_for_update(of=("self",))


def refuse_finished(build: Build) -> None:
    """Raise AlreadyFinished if nothing can be added to the build any more."""
    if build.state == BuildState.FINISHED:
        raise AlreadyFinished("build")


def note_life(build: Build) -> None:
    """Note on a locked build, without saving it, that its writer lives.

    If it was given up it comes back by that, with its steps and logs; that is saved, and an event.
    """
    build.heartbeat_at = timezone.now()
    if build.abandoned_at is None and build.state != BuildState.ABANDONED:
        return
    build.abandoned_at = None
    if build.state == BuildState.ABANDONED:
        build.state = BuildState.RUNNING
    build.steps.filter(state=StepState.ABANDONED).update(state=StepState.RUNNING)
    given_up = LogFile.objects.filter(step__build=build, state=LogState.ABANDONED)
    list(given_up.select_for_update(of=("self",)).order_by("pk").values_list("pk"))  # in the order of `counters`
    given_up.update(state=LogState.OPEN)
    record_event(build, "buildReopened", build.pk)


def heartbeat_precision() -> timedelta:
    """How much later than its `heartbeat_at` a build's writer may have been heard."""
    return timedelta(seconds=min(MAX_PRECISION_SECONDS, settings.ABANDON_AFTER_SECONDS / PRECISION_SHARE))


def open_logs(build: Build) -> QuerySet[LogFile]:
    """The build's logs that are not finished."""
    return LogFile.objects.filter(step__build=build).exclude(state=LogState.FINISHED)


def keep_alive(build: Build, precision: timedelta | None = None) -> None:
    """Note in the row of a locked build that its writer lives, if it was not noted within `precision`.

    That is `heartbeat_precision` unless given. A finished build stays as it is, unless logs of it are still being sent.
    """
    if build.state == BuildState.FINISHED and not open_logs(build).exists():
        return
    if precision is None:
        precision = heartbeat_precision()
    if build.abandoned_at is None and timezone.now() - build.heartbeat_at < precision:
        return
    note_life(build)
    build.save(update_fields=["heartbeat_at"])


def record_event(build: Build, event: BuildEventName, subject_id: int) -> None:
    """Number an event of a locked build, save the build, and announce the event once the transaction is through.

    `subject_id` is the id of the build, step or log that the event happened to. A rolled back event was never there.
    """
    repeat_event(build, event, subject_id)
    happened.send(sender=Build, build=build, event=event, subject_id=subject_id)


def repeat_event(build: Build, event: BuildEventName, subject_id: int) -> None:
    """As `record_event`, of what happened before and of which there is more to know: it does not happen again."""
    build.version += 1
    build.save()
    announce_event(build, event, subject_id)


def announce_event(build: Build, event: BuildEventName, subject_id: int) -> None:
    """Announce an event under the build's present version once the transaction is through, to its project as well.

    Only PROJECT_EVENTS concern the project: each locks its row until the transaction ends, so that its versions have
    no holes either, and what happens to steps and logs must not wait for that.
    """
    build_id, version = build.pk, build.version
    project_id = build.builder.project_id
    project_version = raise_version(project_id) if event in PROJECT_EVENTS else None

    # No functools.partial: where a robust callback fails, Django 5.2 logs its __qualname__, which a partial has not.
    def tell() -> None:
        announce.build_changed(build_id, version, event, subject_id)
        if project_version is not None:
            announce.project_changed(project_id, project_version, event, build_id)

    # robust: what is stored is stored, whatever becomes of the announcement.
    transaction.on_commit(tell, robust=True)


def raise_version(project_id: int) -> int:
    """Raise the project's version by one and return it; without an event, whoever watches it gets a snapshot."""
    project = Project.objects.filter(pk=project_id)
    project.update(version=F("version") + 1)
    return project.values_list("version", flat=True).get()
