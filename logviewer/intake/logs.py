"""Logs: created. Their output and their finish are in `output`."""

from __future__ import annotations

from typing import NamedTuple

from django.db import transaction

from logviewer.intake.changes import (
    keep_alive,
    lock_build,
    note_life,
    record_event,
    refuse_finished,
)
from logviewer.intake.errors import BeingDeleted
from logviewer.intake.slugs import unique_slug
from logviewer.live.store import chunk_store
from logviewer.models import LogFile, LogType, Step
from logviewer.models.logfile import storage_key


class Created(NamedTuple):
    """The log, and whether it is new."""

    log: LogFile
    is_new: bool


def create_log(step_id: int, name: str, log_type: LogType = LogType.STDIO) -> Created:
    """Create a log and its empty file; the log of the step that has that name already is it, whatever its type.

    A finished step of a running build takes more: what it made (`buildlogs log compile coverage.txt`) is there once it
    has ended.

    Raises:
        AlreadyFinished: the build takes no more logs.
        BeingDeleted: the step's log of that name is not quite gone.
        StorageFull: there is no room for the file; there is no log then.
    """
    with transaction.atomic():
        build = lock_build(Step.objects.values_list("build_id", flat=True).get(pk=step_id))
        step = build.steps.get(pk=step_id)
        logs = LogFile.including_deleted.filter(step=step)
        known = logs.filter(name=name).first()
        if known is not None:
            if known.deletion_began_at is not None:
                raise BeingDeleted(name)
            keep_alive(build)
            known.refresh_from_db(fields=["state"])
            return Created(known, is_new=False)
        refuse_finished(build)
        slug = unique_slug(name, set(logs.values_list("slug", flat=True)), otherwise="log")
        log = LogFile(step=step, name=name, slug=slug, type=log_type)
        log.save(force_insert=True)
        log.storage_key = storage_key(log)
        log.save(update_fields=["storage_key"])
        # Inside the transaction: a log that is there has its file. A file that a rollback leaves behind is empty, and
        # the next log of that id takes it over.
        chunk_store().create(log.key)
        note_life(build)
        record_event(build, "logStarted", log.pk)
    return Created(log, is_new=True)
