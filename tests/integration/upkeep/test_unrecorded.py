"""Logs that the store has finished and the database has not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from logviewer.chunkstore import Entry
from logviewer.intake.output import append_output
from logviewer.live.store import chunk_store
from logviewer.models import Completeness, LogFile, LogState
from logviewer.upkeep import unrecorded
from logviewer.upkeep.unrecorded import QUIET_TIME, record_finishes
from tests.factories import make_log, make_step

pytestmark = pytest.mark.django_db


def quiet_log(name: str, *, finished: bool, quiet: timedelta = QUIET_TIME * 2) -> LogFile:
    """A log whose row says that it is open."""
    log = make_log(step=make_step(), name=name)
    append_output(log.pk, log.key, [Entry(0, b"text\n", None)])
    if finished:
        chunk_store().finish(log.key)
    LogFile.objects.filter(pk=log.pk).update(written_at=timezone.now() - quiet)
    return log


def test_a_finish_that_the_database_missed_is_made_up_for() -> None:
    log = quiet_log("stdio", finished=True)
    assert record_finishes() == 0
    log.refresh_from_db()
    assert (log.state, log.completeness, log.size) == (LogState.FINISHED, Completeness.UNVERIFIED, 5)
    assert log.text_sha256


def test_open_logs_and_those_just_written_are_left_alone() -> None:
    still_open = quiet_log("open", finished=False)
    fresh = quiet_log("fresh", finished=True, quiet=QUIET_TIME / 2)
    assert record_finishes() == 0
    for log in (still_open, fresh):
        log.refresh_from_db()
        assert log.state == LogState.OPEN


def test_a_round_looks_at_a_batch_and_the_next_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrecorded, "BATCH_LOGS", 2)
    logs = [quiet_log(f"log{number}", finished=number == 2) for number in range(3)]
    looked_at = record_finishes()
    assert looked_at == logs[1].pk
    assert record_finishes(looked_at) == 0
    logs[2].refresh_from_db()
    assert logs[2].is_finished


def test_a_log_that_cannot_be_read_does_not_hide_the_next() -> None:
    lost, log = quiet_log("lost", finished=True), quiet_log("found", finished=True)
    chunk_store().delete(lost.key)
    record_finishes()
    log.refresh_from_db()
    assert log.is_finished
