"""Changing a build: one writer at a time, each event numbered, and announced when it is safely stored."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from logviewer.intake.errors import AlreadyFinished
from logviewer.live import announce
from logviewer.live.events import BuildEventName
from logviewer.models import Build, BuildState


def lock_build(build_id: int) -> Build:
    """Fetch a build for changing, to be called inside a transaction.

    Whoever changes a build, its steps or its list of logs takes this lock first: so numbers and slugs are unique, and
    versions follow each other without a hole. (SQLite has no row locks and needs none: its transactions begin
    IMMEDIATE, one writer after the other.)

    Raises:
        Build.DoesNotExist: it was deleted meanwhile.
    """
    return Build.objects.select_related("builder__project").select_for_update(of=("self",)).get(pk=build_id)


def refuse_finished(build: Build) -> None:
    """Raise AlreadyFinished if nothing can be added to the build any more."""
    if build.state == BuildState.FINISHED:
        raise AlreadyFinished("build")


def note_life(build: Build) -> None:
    """Note on a locked build, without saving it, that its writer lives; one that was given up comes back by that."""
    build.heartbeat_at = timezone.now()
    if build.state == BuildState.ABANDONED:
        build.state = BuildState.RUNNING


def record_event(build: Build, event: BuildEventName, subject_id: int) -> None:
    """Number an event of a locked build, save the build, and announce the event once the transaction is through.

    `subject_id` is the id of the build, step or log that the event happened to. A rolled back event was never there.
    """
    build.version += 1
    build.save()
    announce_event(build, event, subject_id)


def announce_event(build: Build, event: BuildEventName, subject_id: int) -> None:
    """Announce an event under the build's present version once the transaction is through."""
    build_id, version = build.pk, build.version

    # No functools.partial: where a robust callback fails, Django 5.2 logs its __qualname__, which a partial has not.
    def tell() -> None:
        announce.build_changed(build_id, version, event, subject_id)

    # robust: what is stored is stored, whatever becomes of the announcement.
    transaction.on_commit(tell, robust=True)
