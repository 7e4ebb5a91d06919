"""Sealing what the database says is finished: rows, failures, and the background thread."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from logviewer.chunkstore import Entry, LogLocked, StorageFull
from logviewer.intake.output import append_output, finish_log
from logviewer.live.retries import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, MAX_REMEMBERED, Retries
from logviewer.live.store import chunk_store
from logviewer.models import LogFile, LogForm
from logviewer.upkeep import background
from logviewer.upkeep.background import BackgroundUpkeep
from logviewer.upkeep.sealing import BATCH_LOGS, seal_waiting, waiting_logs
from tests.factories import make_log, make_step

pytestmark = pytest.mark.django_db

TEXT = b"gcc -c file.c\n" * 1000


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def retries(clock: Clock) -> Retries:
    return Retries(clock)


def finished_log(name: str = "stdio") -> LogFile:
    log = make_log(step=make_step(), name=name)
    append_output(log.pk, log.key, [Entry(0, TEXT, None)])
    return finish_log(log, received=None, sha256=None, unverified=False)


def test_finished_logs_are_sealed_and_their_rows_say_so(retries: Retries, logs_dir: Path) -> None:
    log, still_open = finished_log(), make_log()
    done = seal_waiting(retries)
    assert (done.sealed, done.failed, done.locked, done.text_bytes) == (1, 0, 0, len(TEXT))
    log.refresh_from_db()
    assert log.form == LogForm.SEALED
    assert log.sealed
    assert log.stored_bytes == done.sealed_bytes == (logs_dir / f"{log.key}.log.zst").stat().st_size
    still_open.refresh_from_db()
    assert still_open.form == LogForm.PLAIN
    assert seal_waiting(retries).sealed == 0


def test_more_logs_than_a_batch_are_sealed_in_one_round(retries: Retries) -> None:
    step = make_step()
    for number in range(BATCH_LOGS + 2):
        finish_log(make_log(step=step, name=f"log{number}"), received=None, sha256=None, unverified=False)
    assert seal_waiting(retries).sealed == BATCH_LOGS + 2


def test_a_sealed_log_whose_row_does_not_say_so_gets_it_said(retries: Retries) -> None:
    log = finished_log()
    sealed = chunk_store().seal(log.key)
    seal_waiting(retries)
    log.refresh_from_db()
    assert (log.form, log.stored_bytes) == (LogForm.SEALED, sealed.size_bytes)


def test_one_broken_log_neither_stops_the_others_nor_is_tried_without_end(
    retries: Retries, clock: Clock, logs_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = finished_log("broken"), finished_log("whole")
    path = logs_dir / f"{broken.key}.log"
    path.write_bytes(TEXT.replace(b"gcc", b"GCC"))
    done = seal_waiting(retries)
    assert (done.sealed, done.failed) == (1, 1)
    whole.refresh_from_db()
    assert whole.form == LogForm.SEALED
    assert f"log {broken.pk} is not sealed" in caplog.text
    assert hashlib.sha256(TEXT).hexdigest() in caplog.text

    assert seal_waiting(retries).failed == 0  # not yet
    clock.seconds += FIRST_PAUSE_SECONDS
    assert seal_waiting(retries).failed == 1
    clock.seconds += FIRST_PAUSE_SECONDS
    assert seal_waiting(retries).failed == 0  # the pause has grown
    path.write_bytes(TEXT)
    clock.seconds += FIRST_PAUSE_SECONDS
    assert seal_waiting(retries).sealed == 1


def test_pauses_grow_to_a_longest_and_memory_does_not(clock: Clock) -> None:
    retries = Retries(clock)
    pauses = [retries.note_failure(7) for _ in range(20)]
    assert pauses[:3] == [60, 120, 240]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    for key in range(MAX_REMEMBERED + 1):
        retries.note_failure(1000 + key)
    assert retries.is_due(7)
    assert not retries.is_due(1000 + MAX_REMEMBERED)


@pytest.mark.bad_input("a disk that is full while a log is sealed")
def test_a_full_disk_ends_the_round(
    retries: Retries, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logs = [finished_log(f"log{number}") for number in range(3)]

    def full(key: str, text_sha256: str | None, threads: int) -> None:
        raise StorageFull(Path(key), "No space left on device")

    monkeypatch.setattr(chunk_store(), "seal", full)
    assert seal_waiting(retries).failed == 1
    assert "No space left on device" in caplog.text
    monkeypatch.undo()
    assert seal_waiting(retries).sealed == len(logs) - 1


def test_a_log_that_another_process_is_at_is_no_failure(retries: Retries, monkeypatch: pytest.MonkeyPatch) -> None:
    finished_log()

    def locked(key: str, text_sha256: str | None, threads: int) -> None:
        raise LogLocked(Path(key), 0)

    monkeypatch.setattr(chunk_store(), "seal", locked)
    done = seal_waiting(retries)
    assert (done.sealed, done.failed, done.locked) == (0, 0, 1)
    monkeypatch.undo()
    assert seal_waiting(retries).sealed == 1


def test_it_stops_between_two_logs(retries: Retries) -> None:
    finished_log("one")
    finished_log("two")
    answers = iter([False, True])
    assert seal_waiting(retries, stopped=lambda: next(answers)).sealed == 1


def test_the_query_for_waiting_logs_reads_the_index_made_for_it() -> None:
    found = waiting_logs().filter(pk__gt=0)[:BATCH_LOGS].explain()
    if connection.vendor == "sqlite":
        assert "log_to_seal" in found


def test_a_thread_does_it_in_a_server_and_survives_its_database(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[BackgroundUpkeep] = []
    enough = threading.Event()

    def do_round(upkeep: BackgroundUpkeep) -> None:
        rounds.append(upkeep)
        if len(rounds) == 1:
            raise OperationalError("the database is locked")
        if len(rounds) == 2:
            raise ZeroDivisionError
        enough.set()

    monkeypatch.setattr(background, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(background, "LONGEST_POLL_SECONDS", 0.002)
    monkeypatch.setattr(BackgroundUpkeep, "do_round", do_round)
    upkeep = BackgroundUpkeep()
    upkeep.start()
    assert enough.wait(10)
    upkeep.stop()
    assert "waits 0.002 s for the database: the database is locked" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_round_seals(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    log = finished_log()
    upkeep = BackgroundUpkeep()
    upkeep.do_round()
    log.refresh_from_db()
    assert log.sealed
