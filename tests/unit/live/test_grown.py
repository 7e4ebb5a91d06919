"""Which logs grew: each once, in order, and no more than are asked for."""

from __future__ import annotations

import pytest

from logviewer.live import grown
from logviewer.live.grown import GrownLogs


@pytest.fixture
def logs() -> GrownLogs:
    logs = GrownLogs()
    logs.is_asked_for = True
    return logs


def test_nothing_is_kept_where_nobody_asks() -> None:
    logs = GrownLogs()
    logs.note(1)
    assert logs.is_empty()


def test_each_log_is_given_once_those_first_that_wait_longest(logs: GrownLogs) -> None:
    for log_id in (3, 1, 3, 2, 1):
        logs.note(log_id)
    assert logs.take(2) == [3, 1]
    logs.note(3)
    assert logs.take(10) == [2, 3]
    assert logs.take(10) == []


def test_who_waits_is_woken_by_a_log_and_by_the_end(logs: GrownLogs) -> None:
    logs.note(1)
    logs.wait(60)
    logs.take(1)
    logs.wake()
    logs.wait(60)


def test_so_many_wait_at_most(logs: GrownLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grown, "MAX_WAITING_LOGS", 2)
    for log_id in range(5):
        logs.note(log_id)
    assert logs.take(10) == [0, 1]
