"""Errors and folds get into the database as logs grow: whole, once, whoever looks and whenever it is cut short."""

from __future__ import annotations

from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, connections
from django.utils import timezone

from logviewer.chunkstore import Entry
from logviewer.insight import background, looking
from logviewer.insight.background import QUIET, BackgroundInsight
from logviewer.insight.flood import Flood
from logviewer.insight.looking import look_at, states_of, write_down
from logviewer.intake.builds import finish_build
from logviewer.intake.output import append_output, finish_log
from logviewer.live import grown
from logviewer.live.store import chunk_store
from logviewer.models import Build, Inspection, LogFile, Results
from tests.factories import make_log, make_step

FIRST = b"::group::build\nmake\nsrc/a.c:3:1: error: broken\nerror[E0308]: mismatched\n"
SECOND = b" --> src/main.rs:3:18\nwarning: later\n::endgroup::\nlast"

pytestmark = pytest.mark.django_db


@pytest.fixture
def insight() -> BackgroundInsight:
    """One whose rounds the test does itself, in a process that collects what grew."""
    grown.logs.is_asked_for = True
    grown.logs.take(10**9)
    return BackgroundInsight()


@pytest.fixture(autouse=True)
def nobody_asks() -> None:
    grown.logs.is_asked_for = False


def write(log: LogFile, text: bytes) -> None:
    append_output(log.pk, log.key, [Entry(0, text, None)])


def finish(log: LogFile) -> None:
    finish_log(log, received=None, sha256=None, unverified=False)


def look(log: LogFile) -> LogFile:
    """Look at the log as it is in the database, once; return its row afterwards."""
    row = LogFile.objects.get(pk=log.pk)
    write_down([look_at(row, states_of([row]).get(row.pk))])
    row.refresh_from_db()
    return row


def found(log: LogFile) -> list[tuple[int, str, str, int | None]]:
    return [(each.line, each.level, each.path, each.path_line) for each in log.annotations.all()]


WHOLE = [(3, "error", "src/a.c", 3), (4, "error", "src/main.rs", 3), (6, "warning", "", None)]


def test_what_a_log_has_so_far_is_known_and_the_rest_follows() -> None:
    log = make_log()
    write(log, FIRST)
    row = look(log)
    assert (row.errors, row.warnings, row.looked_bytes, row.looked_through) == (2, 0, len(FIRST), False)
    assert found(log) == [*WHOLE[:1], (4, "error", "", None)]
    assert [(fold.start, fold.end, fold.name) for fold in log.folds.all()] == [(1, None, "build")]
    write(log, SECOND)
    finish(log)
    row = look(log)
    assert (row.errors, row.warnings, row.looked_bytes, row.looked_through) == (2, 1, len(FIRST + SECOND), True)
    assert found(log) == WHOLE
    assert [(fold.start, fold.end, fold.name) for fold in log.folds.all()] == [(1, 7, "build")]
    assert Inspection.objects.get(log=log).folds == 1


def test_a_fold_takes_as_long_as_the_times_of_its_lines_say() -> None:
    log = make_log()
    entries = [
        Entry(0, b"::group::a\n", 5_000_000),
        Entry(0, b"x\n", 6_000_000),
        Entry(0, b"::endgroup::\n", 9_500_000),
    ]
    append_output(log.pk, log.key, entries)
    look(log)
    assert [fold.seconds for fold in log.folds.all()] == [4.5]


def test_who_looks_from_the_same_place_a_second_time_changes_nothing() -> None:
    log = make_log()
    write(log, FIRST)
    row = LogFile.objects.get(pk=log.pk)
    looks = [look_at(row, None), look_at(row, None)]
    write(log, SECOND)
    finish(log)
    write_down(looks[:1])
    look(log)
    write_down(looks[1:])
    row.refresh_from_db()
    assert (row.errors, row.warnings, row.looked_through) == (2, 1, True)
    assert found(log) == WHOLE


def test_what_fails_half_way_is_not_there_at_all_and_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_log()
    write(log, FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(looking.Inspection.objects, "bulk_create", lambda *_args, **_options: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            look(log)
    log.refresh_from_db()
    assert (log.looked_bytes, log.annotations.count(), log.folds.count()) == (0, 0, 0)
    assert look(log).errors == 2


def test_a_finish_does_not_take_back_what_was_counted() -> None:
    log = make_log()
    stale = LogFile.objects.get(pk=log.pk)
    write(log, FIRST)
    look(log)
    finish(stale)
    log.refresh_from_db()
    assert (log.errors, log.looked_bytes, log.is_finished) == (2, len(FIRST), True)


def test_a_log_that_lost_its_end_is_looked_at_anew() -> None:
    log = make_log()
    write(log, FIRST)
    LogFile.objects.filter(pk=log.pk).update(looked_bytes=10**6, errors=7)
    log.annotations.create(line=900, level="error", message="of what is no more")
    assert look(log).errors == 2
    assert [line for line, *_ in found(log)] == [3, 4]


def test_a_large_log_has_its_turns(monkeypatch: pytest.MonkeyPatch, insight: BackgroundInsight) -> None:
    monkeypatch.setattr(looking, "READ_BYTES", 1000)
    monkeypatch.setattr(looking, "MAX_LOOK_BYTES", 4000)
    log = make_log()
    write(log, b"ordinary line\n" * 1000 + b"error: at the end\n")
    finish(log)
    rounds = 0
    while not LogFile.objects.get(pk=log.pk).looked_through:
        insight.do_round()
        rounds += 1
    assert rounds > 1
    assert LogFile.objects.get(pk=log.pk).errors == 1


class EndlessFlood(Flood):
    def __init__(self) -> None:
        super().__init__(lambda: 0)

    def is_on(self) -> bool:
        return True


def test_a_flood_of_output_has_the_machine_for_a_while_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "READ_BYTES", 1000)
    monkeypatch.setattr(background, "LONGEST_DEFERRAL_SECONDS", 0.01)
    insight = BackgroundInsight(EndlessFlood())
    grown.logs.is_asked_for = True
    log = make_log()
    write(log, b"ordinary line\n" * 1000)
    insight.do_round()
    assert 0 < LogFile.objects.get(pk=log.pk).looked_bytes < 14_000
    insight.step_back()
    insight.do_round()
    assert LogFile.objects.get(pk=log.pk).looked_bytes == 14_000


def test_a_round_looks_at_what_grew(insight: BackgroundInsight) -> None:
    log, other = make_log(), make_log(name="other")
    write(log, FIRST)
    insight.do_round()
    assert LogFile.objects.get(pk=log.pk).errors == 2
    assert LogFile.objects.get(pk=other.pk).looked_bytes == 0
    assert grown.logs.is_empty()


def test_what_nobody_spoke_of_is_found_by_its_row(insight: BackgroundInsight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logviewer.insight.background.BATCH_LOGS", 2)
    logs = [make_log(name=f"log{number}") for number in range(5)]
    for log in logs:
        write(log, FIRST)
    finish(logs[0])
    grown.logs.take(100)
    before = timezone.now() - 2 * QUIET
    LogFile.objects.update(size=len(FIRST), written_at=before)
    LogFile.objects.filter(pk=logs[0].pk).update(finished_at=before)
    for _ in range(3):
        insight.do_round()
    assert [log.errors for log in LogFile.objects.order_by("pk")] == [2] * 5


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads so small a table as a whole")
def test_looking_for_what_is_left_over_reads_an_index_of_few_rows(insight: BackgroundInsight) -> None:
    assert "USING INDEX log_to_look_at" in insight.leftovers().explain()


def test_a_log_that_cannot_be_read_does_not_hide_the_next(
    insight: BackgroundInsight, caplog: pytest.LogCaptureFixture
) -> None:
    broken, log = make_log(name="broken"), make_log(name="whole")
    for each in (broken, log):
        write(each, FIRST)
    index = chunk_store().root / f"{broken.key}.idx"
    index.write_bytes(b"no index" * 20)
    insight.do_round()
    assert LogFile.objects.get(pk=log.pk).errors == 2
    assert f"log {broken.pk} is not looked at" in caplog.text
    grown.logs.note(broken.pk)
    insight.do_round()
    assert caplog.text.count("is not looked at") == 1  # a minute later at the earliest


@pytest.mark.bad_input("frames of Docker's, with NUL, before a traceback")
def test_nul_before_a_traceback_is_nothing_that_the_database_refuses(insight: BackgroundInsight) -> None:
    frames, log = make_log(name="frames"), make_log(name="whole")
    write(frames, b"\x02\0\0\0\0\0\0X2026-11-29T10:00:00 Traceback (most recent call last):\n")
    write(log, FIRST)
    insight.do_round()
    assert LogFile.objects.get(pk=frames.pk).looked_bytes > 0
    assert LogFile.objects.get(pk=log.pk).errors == 2


def test_what_the_database_refuses_of_one_log_does_not_keep_the_others(
    insight: BackgroundInsight, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logs = [make_log(name=f"log{number}") for number in range(3)]
    for log in logs:
        write(log, FIRST)
    store = looking._store

    def refuse_one(looks: list[looking.Look]) -> None:
        if any(look.log.pk == logs[1].pk for look in looks):
            raise DataError("no such character")
        store(looks)

    monkeypatch.setattr(looking, "_store", refuse_one)
    insight.do_round()
    assert [log.errors for log in LogFile.objects.order_by("pk")] == [2, 0, 2]
    assert f"log {logs[1].pk} is not looked at: no such character" in caplog.text
    grown.logs.note(logs[1].pk)
    insight.do_round()
    assert caplog.text.count("is not looked at") == 1


def test_a_fault_in_looking_at_one_log_does_not_keep_the_others(
    insight: BackgroundInsight, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logs = [make_log(name=f"log{number}") for number in range(2)]
    for log in logs:
        write(log, FIRST)

    def fail_one(log: LogFile, *others: Any) -> looking.Look:
        return 1 / 0 if log.pk == logs[0].pk else look_at(log, *others)  # type: ignore[return-value]

    monkeypatch.setattr("logviewer.insight.background.look_at", fail_one)
    insight.do_round()
    assert [log.errors for log in LogFile.objects.order_by("pk")] == [0, 2]
    assert "ZeroDivisionError" in caplog.text


def test_a_state_of_another_version_lets_the_log_be_looked_at_anew(
    insight: BackgroundInsight, caplog: pytest.LogCaptureFixture
) -> None:
    log = make_log()
    write(log, FIRST)
    look(log)
    state = Inspection.objects.get(log=log).state
    Inspection.objects.update(state={**state, "pending": {**state["pending"], "row": 1}})
    log.annotations.create(line=900, level="error", message="of what is no more")
    write(log, SECOND)
    finish(log)
    insight.do_round()
    assert found(log) == WHOLE
    assert f"log {log.pk} is looked at from its beginning again" in caplog.text


def test_what_grew_while_the_database_was_away_is_looked_at_afterwards(
    insight: BackgroundInsight, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_log()
    write(log, FIRST)
    with monkeypatch.context() as patch:
        patch.setattr("logviewer.insight.background.write_down", lambda _looks: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            insight.do_round()
    insight.do_round()
    assert LogFile.objects.get(pk=log.pk).errors == 2


def test_a_thread_does_it_in_a_server_and_survives_its_database(
    insight: BackgroundInsight, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []
    enough = Event()

    def do_round() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise OperationalError("the database is away")
        if len(rounds) == 2:
            raise RuntimeError("a fault")
        enough.set()

    monkeypatch.setattr(insight, "do_round", do_round)
    monkeypatch.setattr("logviewer.insight.background.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("logviewer.insight.background.ROUND_SECONDS", 0.01)
    insight.start()
    assert enough.wait(10)
    insight.stop()
    assert "insight waits 0.01 s for the database: the database is away" in caplog.text
    assert "a fault" in caplog.text


def test_a_sealed_log_is_looked_at_as_well(insight: BackgroundInsight) -> None:
    log = make_log()
    write(log, FIRST + SECOND)
    finish(log)
    chunk_store().seal(log.key)
    insight.do_round()
    assert found(log) == WHOLE


def test_who_watches_the_build_is_told_of_the_errors_of_a_finished_log() -> None:
    log = make_log()
    write(log, FIRST)
    finish(log)
    version = Build.objects.get(pk=log.step.build_id).version
    look(log)
    assert Build.objects.get(pk=log.step.build_id).version == version + 1
    plain = make_log(step=make_step(), name="plain")
    write(plain, b"nothing\n")
    finish(plain)
    version = Build.objects.get(pk=plain.step.build_id).version
    look(plain)
    assert Build.objects.get(pk=plain.step.build_id).version == version


@pytest.mark.django_db(transaction=True)
def test_many_who_look_at_the_same_logs_write_each_error_once() -> None:
    logs = [make_log(name=f"log{number}") for number in range(4)]
    for log in logs:
        write(log, FIRST + SECOND)
        finish(log)
    finish_build(logs[0].step.build_id, Results.FAILURE)
    together = Barrier(4)

    def race() -> None:
        try:
            rows = list(LogFile.objects.filter(looked_through=False))
            looks = [look_at(row, None) for row in rows]
            together.wait(20)
            write_down(looks)
        finally:
            connections.close_all()

    threads = [Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found(log) for log in logs] == [WHOLE] * 4
    assert [(log.errors, log.warnings) for log in LogFile.objects.all()] == [(2, 1)] * 4
