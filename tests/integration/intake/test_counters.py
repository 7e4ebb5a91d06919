"""The rows of open logs follow the store, many in one statement."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from logviewer.chunkstore import LogEnd
from logviewer.intake import counters
from logviewer.live.write_behind import WriteBehind
from logviewer.models import LogFile, LogState
from tests.factories import make_log, make_step

pytestmark = pytest.mark.django_db

WAIT_SECONDS = 10


@pytest.fixture(autouse=True)
def remembers_no_log() -> None:
    """Ids come again in each test, and what was noted a moment ago is not noted again."""
    forget_all()


def forget_all() -> None:
    with counters._lock:
        counters._written_at.clear()
        counters._late.clear()


@pytest.fixture
def written(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[int, int]]]:
    """What a thread writes behind, as sizes by log; nothing of it after the test."""
    settings.WRITE_BEHIND = True
    written: list[dict[int, int]] = []
    behind = WriteBehind()
    monkeypatch.setattr(counters, "write_behind", behind)
    monkeypatch.setattr(
        counters, "write", lambda ends, **_: written.append({log: end.size for log, end in ends.items()})
    )
    yield written
    forget_all()
    assert behind.flush(WAIT_SECONDS)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def end(size: int) -> LogEnd:
    return LogEnd(size=size, lines=size // 10, received=size + 1, finished=False, omitted=1, last_time_us=0)


def numbers(log: LogFile) -> tuple[int, int, int, int]:
    row = LogFile.objects.get(pk=log.pk)
    return row.size, row.lines, row.received, row.omitted


def test_many_rows_are_written_with_few_queries(django_assert_max_num_queries: Any) -> None:
    step = make_step()
    logs = [make_log(step=step, name=f"log-{number}", file=False) for number in range(40)]
    ends = {log.pk: end(100 * number) for number, log in enumerate(logs)}
    counters.write(ends)  # the build's heartbeat, too
    with django_assert_max_num_queries(5) as queries:
        counters.write(ends)
    assert isinstance(queries, CaptureQueriesContext)
    assert [numbers(log) for log in logs] == [(100 * n, 10 * n, 100 * n + 1, 1) for n in range(40)]
    assert all(LogFile.objects.get(pk=log.pk).written_at is not None for log in logs)


def test_a_finished_logs_row_stays_as_the_finish_left_it() -> None:
    step = make_step()
    finished, open_log = make_log(step=step, name="finished", file=False), make_log(step=step, name="open", file=False)
    LogFile.objects.filter(pk=finished.pk).update(state=LogState.FINISHED, size=7)
    counters.write({finished.pk: end(5), open_log.pk: end(5), 424242: end(5)})
    assert numbers(finished)[0] == 7
    assert numbers(open_log)[0] == 5


def test_a_log_is_noted_once_a_second_and_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[dict[int, int]] = []
    monkeypatch.setattr(counters, "write", lambda ends: written.append({log: end.size for log, end in ends.items()}))
    now = 1000.0
    monkeypatch.setattr(counters.time, "monotonic", lambda: now)
    for size in (1, 2, 3):
        counters.note(1, end(size))
    counters.note(2, end(9))
    now += counters.WRITE_INTERVAL_SECONDS
    counters.note(1, end(4))
    assert written == [{1: 1}, {2: 9}, {1: 4}]


def test_the_row_of_a_log_that_falls_silent_has_all_of_it(
    written: list[dict[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "WRITE_INTERVAL_SECONDS", 0.2)
    for turn in (10, 20):  # the second time there is somebody who looks already
        for size in (1, 2, 3):
            counters.note(1, end(turn + size))
        until(lambda turn=turn: written[-1:] == [{1: turn + 3}])


def test_a_log_that_gets_output_all_the_time_is_written_once_an_interval(
    written: list[dict[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "WRITE_INTERVAL_SECONDS", 0.2)
    began = time.monotonic()
    for number in range(100):
        counters.note(1, end(number))
        time.sleep(0.01)
    assert len(written) <= (time.monotonic() - began) / 0.2 + 2


def test_what_comes_late_of_many_logs_is_written_in_pieces(
    written: list[dict[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "LATE_ROWS", 4)
    for size in (1, 2):
        for log in range(10):
            counters.note(log, end(size))
    assert counters.write_behind.flush(WAIT_SECONDS)
    late = [ends for ends in written if 2 in ends.values()]
    assert [len(ends) for ends in late] == [4, 4, 2]
    assert {log for ends in late for log in ends} == set(range(10))


def test_what_is_not_due_yet_is_written_when_the_process_ends(written: list[dict[int, int]]) -> None:
    counters.note(1, end(1))
    until(lambda: written == [{1: 1}])
    counters.note(1, end(2))
    assert counters.write_behind.flush(WAIT_SECONDS)
    assert written == [{1: 1}, {1: 2}]


def test_what_is_late_does_not_overwrite_what_another_process_wrote_after_it() -> None:
    step = make_step()
    ahead, behind = make_log(step=step, name="ahead", file=False), make_log(step=step, name="behind", file=False)
    counters.write({ahead.pk: end(100), behind.pk: end(10)})
    counters.write({ahead.pk: end(50), behind.pk: end(50)}, only_forward=True)
    assert (numbers(ahead)[0], numbers(behind)[0]) == (100, 50)
    counters.write({ahead.pk: end(50)})
    assert numbers(ahead)[0] == 50
