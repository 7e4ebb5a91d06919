"""The rows of open logs follow the store, many in one statement."""

from __future__ import annotations

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from logviewer.chunkstore import LogEnd
from logviewer.intake import counters
from logviewer.models import LogFile, LogState
from tests.factories import make_log, make_step

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def remembers_no_log() -> None:
    """Ids come again in each test, and what was noted a moment ago is not noted again."""
    counters._written_at.clear()


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
