"""What nobody waits for: newest only for each key, errors told and forgotten."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import OperationalError

from logviewer.live.write_behind import WriteBehind

WAIT_SECONDS = 5


@pytest.fixture
def behind(settings: Any) -> WriteBehind:
    settings.WRITE_BEHIND = True
    return WriteBehind()


def test_while_the_database_waits_only_the_newest_of_each_key_is_kept(behind: WriteBehind) -> None:
    held, done, written = threading.Event(), threading.Event(), []
    began = threading.Event()

    def hold() -> None:
        began.set()
        held.wait(WAIT_SECONDS)

    behind.put("first", hold)
    assert began.wait(WAIT_SECONDS)
    for number in range(1000):
        behind.put("counters", lambda number=number: written.append(number))
    behind.put("last", done.set)
    held.set()
    assert done.wait(WAIT_SECONDS)
    assert written == [999]


def test_an_error_of_the_database_is_told_and_the_next_is_written(
    behind: WriteBehind, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def fail() -> None:
        raise OperationalError("database is locked")

    behind.put("bad", fail)
    behind.put("good", done.set)
    assert done.wait(WAIT_SECONDS)
    assert "bad could not be written to the database: database is locked" in caplog.text


def test_where_it_is_off_a_write_is_done_at_once(settings: Any) -> None:
    settings.WRITE_BEHIND = False
    written: list[int] = []
    WriteBehind().put("counters", lambda: written.append(1))
    assert written == [1]
