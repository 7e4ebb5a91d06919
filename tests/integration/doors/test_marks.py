"""What insight found in a log is read once for all who ask for it, and anew when there is more."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter

from logviewer.chunkstore import Entry
from logviewer.doors import marks as door
from logviewer.doors.marks import Found, Remembered
from logviewer.doors.routing import http_doors
from logviewer.insight.looking import look_at, states_of, write_down
from logviewer.intake.output import append_output
from logviewer.models import LogFile
from tests.factories import make_log


def write(log: LogFile, text: bytes) -> None:
    """Store it, and look at it."""
    append_output(log.pk, log.key, [Entry(0, text, None)])
    row = LogFile.objects.get(pk=log.pk)
    write_down([look_at(row, states_of([row]).get(row.pk))])


def ask(log: LogFile, **headers: str) -> ApplicationCommunicator:
    path = f"/api/v1/logs/{log.pk}/marks"
    others = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"testserver"), *others], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    return ApplicationCommunicator(URLRouter(http_doors), scope)


async def answer(log: LogFile, **headers: str) -> tuple[int, str, bytes]:
    """Status, ETag, body."""
    exchange = ask(log, **headers)
    await exchange.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await exchange.receive_output(10)
    return start["status"], dict(start["headers"])[b"etag"].decode(), (await exchange.receive_output(10))["body"]


async def marks(log: LogFile) -> dict[str, Any]:
    status, _etag, body = await answer(log)
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.django_db(transaction=True)
async def test_it_is_read_once_for_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    find = door._find
    monkeypatch.setattr(door, "_find", lambda log: reads.append(log.pk) or find(log))
    log = await database_sync_to_async(make_log)()
    await database_sync_to_async(write)(log, b"::group::a\nerror: one\n")
    for _ in range(3):
        assert [each["n"] for each in (await marks(log))["errors"]] == [2]
    assert len(reads) == 1
    await database_sync_to_async(write)(log, b"::endgroup::\nwarning: two\n")
    found = await marks(log)
    assert [(each["n"], each["level"]) for each in found["errors"]] == [(2, "error"), (4, "warning")]
    assert found["counts"] == {"errors": 1, "warnings": 1, "folds": 1, "gaps": 0}
    assert found["folds"][0]["end"] == 3
    assert len(reads) == 2


@pytest.mark.django_db(transaction=True)
async def test_they_are_complete_once_all_of_a_finished_log_was_looked_at() -> None:
    log = await database_sync_to_async(make_log)()
    await database_sync_to_async(write)(log, b"error: one\n")
    assert (await marks(log))["complete"] is False
    await LogFile.objects.filter(pk=log.pk).aupdate(looked_through=True)
    found = await marks(log)
    assert (found["complete"], len(found["errors"])) == (True, 1)


@pytest.mark.django_db(transaction=True)
async def test_those_who_ask_at_once_share_one_reading_which_goes_on_though_one_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[int] = []
    may_go_on = threading.Event()
    find = door._find

    def find_late(log: LogFile) -> Found:
        reads.append(log.pk)
        assert may_go_on.wait(10)
        return find(log)

    log = await database_sync_to_async(make_log)()
    row = await LogFile.objects.select_related("step__build__builder__project").aget(pk=log.pk)

    async def readable(*_arguments: Any) -> LogFile:
        return row

    monkeypatch.setattr(door, "_find", find_late)
    monkeypatch.setattr(door, "readable_log", readable)
    first, *others = [asyncio.ensure_future(answer(log)) for _ in range(3)]
    while not reads:
        await asyncio.sleep(0.001)
    first.cancel()
    may_go_on.set()
    assert [status for status, _etag, _body in await asyncio.gather(*others)] == [200, 200]
    assert len(reads) == 1
    assert not door._being_read


@pytest.mark.django_db(transaction=True)
async def test_who_has_them_already_is_sent_nothing() -> None:
    log = await database_sync_to_async(make_log)()
    await database_sync_to_async(write)(log, b"error: one\n")
    status, etag, body = await answer(log)
    assert (status, json.loads(body)["counts"]["errors"]) == (200, 1)
    assert await answer(log, if_none_match=etag) == (304, etag, b"")
    await LogFile.objects.filter(pk=log.pk).aupdate(looked_through=True)
    assert (await answer(log, if_none_match=etag))[0] == 200
    await database_sync_to_async(write)(log, b"error: two\n")
    assert (await answer(log, if_none_match=etag))[0] == 200


def test_what_was_not_asked_for_for_longest_is_forgotten() -> None:
    remembered = Remembered(max_bytes=20)
    keys: list[Any] = [(number, None, 0, False) for number in range(3)]
    for key in keys[:2]:
        remembered.put(key, Found(b"x" * 10, 0, b""))
    remembered.get(keys[0])
    remembered.put(keys[2], Found(b"x" * 10, 0, b""))
    assert [remembered.get(key) is not None for key in keys] == [True, False, True]
    remembered.put(keys[1], Found(b"x" * 21, 0, b""))
    assert [remembered.get(key) is not None for key in keys] == [False] * 3
