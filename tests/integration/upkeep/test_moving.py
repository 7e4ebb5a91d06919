"""Moving sealed logs to another store: rows follow, an outage is waited for, one bad log keeps no other."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from logviewer.chunkstore import Archive, ArchiveDiffers, Channel, Entry, Form
from logviewer.live import chunk_store, retries
from logviewer.models import LogFile, LogForm, LogState
from logviewer.upkeep import moving
from logviewer.upkeep.moving import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Moved, Mover
from tests.archives import ask_again
from tests.factories import make_log
from tests.object_store import ObjectStore

pytestmark = pytest.mark.django_db

TEXT = b"a line of the build\n" * 1000


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def mover(clock: Clock) -> Mover:
    return Mover(clock)


def make_sealed_log(text: bytes = TEXT) -> LogFile:
    """A finished, sealed log, as upkeep leaves it."""
    log = make_log(name=f"log-{LogFile.objects.count()}")
    store = chunk_store()
    store.append(log.key, [Entry(Channel.STDOUT, text)])
    store.finish(log.key)
    log.stored_bytes = store.seal(log.key).size_bytes
    log.form, log.state = LogForm.SEALED, LogState.FINISHED
    log.save()
    return log


def form_in_both(log: LogFile) -> tuple[str, Form]:
    """How the log lies, as the row and as the store say."""
    log.refresh_from_db()
    return log.form, chunk_store().form(log.key)


def test_sealed_logs_move_and_their_rows_say_so(archive: Archive, mover: Mover) -> None:
    logs = [make_sealed_log() for _ in range(3)]
    open_log = make_log(name="open")
    assert mover.is_due
    assert mover.run() == Moved(moved=3)
    assert [form_in_both(log) for log in logs] == [("archived", Form.ARCHIVED)] * 3
    assert form_in_both(open_log) == ("plain", Form.PLAIN)
    assert logs[0].sealed
    with chunk_store().reader(logs[0].key) as reader:
        assert reader.read(0, len(TEXT)) == TEXT


def test_where_there_is_no_other_store_no_round_is_due(mover: Mover) -> None:
    assert not mover.is_due


def test_a_row_that_a_crash_left_behind_follows(archive: Archive, mover: Mover) -> None:
    log = make_sealed_log()
    chunk_store().move(log.key)
    assert form_in_both(log) == ("sealed", Form.ARCHIVED)
    assert mover.run() == Moved(moved=1)
    assert form_in_both(log) == ("archived", Form.ARCHIVED)


def test_while_the_store_is_away_logs_stay_and_it_is_tried_again_ever_more_seldom(
    s3_archive: Archive, object_store: ObjectStore, mover: Mover, clock: Clock
) -> None:
    log = make_sealed_log()
    object_store.proxy.go()
    pauses = []
    for _ in range(9):
        assert "sealed-logs" in mover.run().away
        assert not mover.is_due
        begun = clock.now
        while not mover.is_due:
            clock.now += 1
        pauses.append(clock.now - begun)
    assert pauses == [min(FIRST_PAUSE_SECONDS * 2**count, LONGEST_PAUSE_SECONDS) for count in range(9)]
    assert form_in_both(log) == ("sealed", Form.SEALED)
    with chunk_store().reader(log.key) as reader:
        assert reader.read(0, len(TEXT)) == TEXT
    object_store.proxy.come()
    ask_again(chunk_store().archive)
    assert mover.run() == Moved(moved=1)
    assert form_in_both(log) == ("archived", Form.ARCHIVED)
    assert mover.is_due


def test_one_log_that_cannot_move_keeps_no_other_and_is_left_alone_for_a_while(
    file_archive: Archive, mover: Mover, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = make_sealed_log(), make_sealed_log()
    move = chunk_store().move

    def move_or_fail(key: str) -> None:
        if key == bad.key:
            raise ArchiveDiffers(key)
        move(key)

    monkeypatch.setattr(chunk_store(), "move", move_or_fail)
    assert mover.run() == Moved(moved=1, failed=1)
    assert (form_in_both(bad)[0], form_in_both(good)[0]) == ("sealed", "archived")
    assert "other bytes" in caplog.text
    assert mover.run() == Moved()
    clock.now += retries.FIRST_PAUSE_SECONDS
    assert mover.run() == Moved(failed=1)


def test_a_log_that_another_process_moves_is_left_to_it(file_archive: Archive, mover: Mover) -> None:
    log = make_sealed_log()
    path = Path(chunk_store().root / f"{log.key}.log.zst")
    with path.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert mover.run() == Moved()
    assert mover.run() == Moved(moved=1)


def test_it_stops_between_two_logs_when_it_is_told_to(file_archive: Archive, mover: Mover) -> None:
    for _ in range(3):
        make_sealed_log()
    asked: list[bool] = []
    assert mover.run(lambda: asked.append(True) or len(asked) > 2) == Moved(moved=2)


def test_rows_are_fetched_page_by_page(file_archive: Archive, mover: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "PAGE_LOGS", 2)
    for _ in range(5):
        make_sealed_log()
    with CaptureQueriesContext(connection) as queries:
        assert mover.run() == Moved(moved=5)
    selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert len(selects) == 4
    assert all("LIMIT 2" in select for select in selects)
