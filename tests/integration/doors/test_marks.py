"""What insight found in a log is read once for all who ask for it, and anew when there is more."""

from __future__ import annotations

import json
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


async def marks(log: LogFile) -> dict[str, Any]:
    path = f"/api/v1/logs/{log.pk}/marks"
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"testserver")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    exchange = ApplicationCommunicator(URLRouter(http_doors), scope)
    await exchange.send_input({"type": "http.request", "body": b"", "more_body": False})
    assert (await exchange.receive_output(10))["status"] == 200
    answer: dict[str, Any] = json.loads((await exchange.receive_output(10))["body"])
    return answer


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


def test_what_was_not_asked_for_for_longest_is_forgotten() -> None:
    remembered = Remembered(max_bytes=20)
    keys: list[Any] = [(number, None, 0, False) for number in range(3)]
    for key in keys[:2]:
        remembered.put(key, Found(b"x" * 10, 0))
    remembered.get(keys[0])
    remembered.put(keys[2], Found(b"x" * 10, 0))
    assert [remembered.get(key) is not None for key in keys] == [True, False, True]
    remembered.put(keys[1], Found(b"x" * 21, 0))
    assert [remembered.get(key) is not None for key in keys] == [False] * 3
