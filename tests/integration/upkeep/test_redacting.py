"""Redactions that something held up: noted with their reason, and completed by upkeep, whatever came between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from logviewer.chunkstore import Archive, ChunkStore, Entry, StorageFull
from logviewer.insight.looking import look_at, write_down
from logviewer.intake.output import append_output, finish_log
from logviewer.live.retries import Retries
from logviewer.live.store import chunk_store
from logviewer.models import SERVER, Annotation, AuditEntry, LogFile, LogForm, Redaction
from logviewer.upkeep.deleting import delete_log
from logviewer.upkeep.errors import NoSuchLines
from logviewer.upkeep.lost import put_aside
from logviewer.upkeep.moving import Mover, move_log
from logviewer.upkeep.redacting import redact_lines, redact_waiting
from logviewer.upkeep.sealing import seal_log
from logviewer.upkeep.verification import check_log
from tests.factories import make_log, make_step

pytestmark = pytest.mark.django_db

SECRET = b"hunter2"
TEXT = b"$ make\nerror: hunter2 is wrong\ndone\n"
STARS = b"$ make\n" + b"*" * len("error: hunter2 is wrong") + b"\ndone\n"


@pytest.fixture
def log() -> LogFile:
    made = make_log()
    append_output(made.pk, made.key, [Entry(0, TEXT, None)])
    return finish_log(made, received=None, sha256=None, unverified=False)


def text_of(log: LogFile) -> bytes:
    with chunk_store().reader(log.key) as reader:
        return reader.read(0, 1000)


def killed(*_args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("point", ["before the store", "after the store"])
def test_a_redaction_that_was_killed_is_completed_by_upkeep(
    log: LogFile, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    place = (ChunkStore, "redact") if point == "before the store" else (LogFile, "save")
    with monkeypatch.context() as patch:
        patch.setattr(*place, killed)
        with pytest.raises(KeyboardInterrupt):
            redact_lines(log.pk, 2, 2, SERVER, "a password")
    assert Redaction.objects.count() == 1
    assert redact_waiting(Retries()).done == 0, "who asked a moment ago may be at it"
    assert redact_waiting(Retries(), head_start=timedelta(0)).done == 1
    assert text_of(log) == STARS
    row = LogFile.objects.get()
    assert (row.sha256, row.completeness, row.redactions) == (None, "omitted", 1)
    assert (Redaction.objects.count(), AuditEntry.objects.count()) == (0, 1)
    checked = check_log(row, chunk_store())
    assert checked is not None
    assert checked.findings == ()


def test_it_is_completed_though_the_log_was_sealed_meanwhile(log: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ChunkStore, "redact", killed)
        with pytest.raises(KeyboardInterrupt):
            redact_lines(log.pk, 2, 2, SERVER, "a password")
    seal_log(LogFile.objects.get())
    redact_waiting(Retries(), head_start=timedelta(0))
    assert text_of(log) == STARS
    row = LogFile.objects.get()
    assert (row.form, row.stored_bytes > 0) == (LogForm.SEALED, True)


def row_truth_of(log: LogFile) -> dict[str, Any]:
    """What the log's row should say instead."""
    checked = check_log(LogFile.objects.get(pk=log.pk), chunk_store())
    assert checked is not None
    assert checked.verification is not None
    return checked.row_truth


@pytest.mark.parametrize("act", ["seal", "move"])
def test_one_between_sealing_or_moving_and_the_row_of_that_is_what_the_row_says(
    archive: Archive, log: LogFile, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    if act == "move":
        seal_log(log)
    in_store = getattr(ChunkStore, act)

    def then_redacted(store: ChunkStore, *args: Any) -> object:
        outcome = in_store(store, *args)
        redact_lines(log.pk, 2, 2, SERVER, "a password")
        return outcome

    with monkeypatch.context() as patch:
        patch.setattr(ChunkStore, act, then_redacted)
        (seal_log if act == "seal" else move_log)(log)
    assert row_truth_of(log) == {}
    assert Mover().run().moved == 1
    assert row_truth_of(log) == {}
    assert text_of(log) == STARS


def test_a_full_disk_holds_it_up_and_not_others(log: LogFile, monkeypatch: pytest.MonkeyPatch, logs_dir: Path) -> None:
    other = make_log(step=make_step(), name="other")
    append_output(other.pk, other.key, [Entry(0, TEXT, None)])
    finish_log(other, received=None, sha256=None, unverified=False)
    redact = ChunkStore.redact

    def full(store: ChunkStore, key: str, first: int, last: int) -> object:
        if key == log.key:
            raise StorageFull(logs_dir, "no room")
        return redact(store, key, first, last)

    for each in (log, other):
        Redaction.objects.create(log=each, start=2, end=2)
    retries = Retries()
    with monkeypatch.context() as patch:
        patch.setattr(ChunkStore, "redact", full)
        round_ = redact_waiting(retries, head_start=timedelta(0))
    assert (round_.done, round_.failed) == (1, 1)
    assert text_of(other) == STARS
    assert Redaction.objects.get().log == log


def test_the_command_completes_what_is_left(log: LogFile, capsys: pytest.CaptureFixture[str]) -> None:
    redaction = Redaction.objects.create(log=log, start=2, end=2)
    Redaction.objects.filter(pk=redaction.pk).update(asked_at=redaction.asked_at - timedelta(minutes=1))
    call_command("upkeep", "--no-progress")
    assert "1 redactions completed" in capsys.readouterr().out
    assert text_of(log) == STARS


def test_lines_beyond_the_end_are_refused_and_nothing_is_noted(log: LogFile) -> None:
    with pytest.raises(NoSuchLines):
        redact_lines(log.pk, 3, 4, SERVER, "r")
    assert (Redaction.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_a_log_deleted_with_a_redaction_to_do_is_no_failure(log: LogFile) -> None:
    Redaction.objects.create(log=log, start=2, end=2)
    delete_log(log.pk, SERVER)
    assert redact_waiting(Retries(), head_start=timedelta(0)).failed == 0


def test_a_log_deleted_while_it_is_redacted_leaves_no_file(
    log: LogFile, monkeypatch: pytest.MonkeyPatch, logs_dir: Path
) -> None:
    redact = ChunkStore.redact

    def redact_then_lose_the_row(store: ChunkStore, key: str, first: int, last: int) -> object:
        redacted = redact(store, key, first, last)
        LogFile.objects.all().delete()
        return redacted

    monkeypatch.setattr(ChunkStore, "redact", redact_then_lose_the_row)
    with pytest.raises(LogFile.DoesNotExist):
        redact_lines(log.pk, 2, 2, SERVER, "r")
    assert [path for path in logs_dir.rglob("*") if path.is_file()] == []


def test_what_verification_put_aside_of_the_log_goes_as_well(log: LogFile, logs_dir: Path) -> None:
    copy = logs_dir / f"{log.key}.log.zst"
    copy.write_bytes(SECRET)
    aside = put_aside(logs_dir, copy)
    neighbour = aside.with_name("stdio-10170.log")
    neighbour.write_bytes(b"of another log")
    redact_lines(log.pk, 2, 2, SERVER, "r")
    assert (aside.exists(), neighbour.exists()) == (False, True)


def test_errors_found_in_the_old_text_meanwhile_are_not_written_down(log: LogFile) -> None:
    looked = look_at(LogFile.objects.get(), None)
    assert looked.inspector.errors == 1
    redact_lines(log.pk, 2, 2, SERVER, "r")
    write_down([looked])
    assert Annotation.objects.count() == 0
    write_down([look_at(LogFile.objects.get(), None)])
    row = LogFile.objects.get()
    assert (row.errors, row.looked_through) == (0, True)
