"""The database from the event loop, while it is away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection

from logviewer.live import database
from logviewer.live.database import DatabaseAway, in_database


@pytest.fixture(autouse=True)
def present(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    yield
    database.away.over()


def fail_to_connect() -> None:
    """As a query does that finds no connection and gets none."""
    connection.connection = None
    raise OperationalError("connection refused")


def fail_connected() -> None:
    connection.connection = object()
    raise OperationalError("database is locked")


def disconnect() -> int:
    connection.connection = None
    return 7


async def test_whoever_comes_right_after_a_failed_connection_is_refused_without_trying() -> None:
    with pytest.raises(OperationalError, match="refused"):
        await in_database(fail_to_connect)
    tried: list[int] = []
    with pytest.raises(DatabaseAway):
        await in_database(tried.append, 1)
    assert tried == []


async def test_a_moment_later_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "AWAY_SECONDS", 0.0)
    with pytest.raises(OperationalError, match="refused"):
        await in_database(fail_to_connect)
    assert await in_database(lambda: 7) == 7


async def test_a_query_that_fails_on_a_connection_says_nothing_of_the_next() -> None:
    with pytest.raises(OperationalError, match="locked"):
        await in_database(fail_connected)
    assert await in_database(disconnect) == 7


async def test_a_database_that_hangs_is_given_up_and_others_are_not_kept_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.1)
    answered = threading.Event()
    began = time.monotonic()
    with pytest.raises(DatabaseAway):
        await in_database(answered.wait, 30)
    with pytest.raises(DatabaseAway):
        await in_database(lambda: None)
    assert time.monotonic() - began < 10
    answered.set()
    monkeypatch.setattr(database, "AWAY_SECONDS", 0.0)
    database.away.over()
    monkeypatch.setattr(database, "ANSWER_SECONDS", 10.0)
    async with asyncio.timeout(20):
        assert await in_database(lambda: 7) == 7
