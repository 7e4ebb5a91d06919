"""What is counted of requests and sockets, whatever they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.doors.guard import WRITE_EXTENSION, write_of
from logviewer.doors.metrics.traffic import DOORS, Traffic, count_traffic, door_of, socket_of


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/api/v1/logs/12/raw", "raw"),
        ("/api/v1/logs/12/chunks", "chunks"),
        ("/api/v1/logs/12/finish", "api"),
        ("/api/v1/logs/12", "api"),
        ("/api/v1/builds/12/logs.zip", "zip"),
        ("/api/v1/steps/12/raw", "api"),
        ("/api/v1/projects", "api"),
        ("/static/logviewer/js/a/b/c/d.js", "static"),
        ("/admin/", "admin"),
        ("/healthz", "health"),
        ("/readyz", "health"),
        ("/metrics", "metrics"),
        ("/", "pages"),
        ("/demo/linux/1/compile/stdio/and/more", "pages"),
        ("*", "pages"),
        ("", "pages"),
    ],
)
def test_each_path_has_a_door(path: str, door: str) -> None:
    assert door_of(path) == door
    assert door in DOORS


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/ws/logs/3/", "log"),
        ("/ws/builds/3/", "build"),
        ("/ws/projects/demo/", "project"),
        ("/ws/intake/", "intake"),
        ("/ws/nothing/", "other"),
        ("/ws", "other"),
        ("/", "other"),
        ("", "other"),
    ],
)
def test_each_path_has_a_kind_of_socket(path: str, kind: str) -> None:
    assert socket_of(path) == kind


async def send_nothing(message: Any) -> None:
    return None


async def receive_nothing() -> Any:
    raise AssertionError("not asked for")


async def ask(counts: Traffic, application: Any, **scope: Any) -> None:
    whole = {"type": "http", "method": "GET", "path": "/api/v1/logs/1/raw", **scope}
    await count_traffic(application, counts)(whole, receive_nothing, send_nothing)


async def test_a_response_is_counted_with_its_bytes_and_open_until_it_ends() -> None:
    counts, open_meanwhile = Traffic(), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        open_meanwhile.append(counts.requests_open)
        await send({"type": "http.response.start", "status": 206, "headers": []})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        await send({"type": "http.response.body"})

    await ask(counts, application)
    assert counts.responses == {("raw", "GET", "2xx"): 1}
    assert counts.response_bytes == {"raw": 5}
    assert (open_meanwhile, counts.requests_open) == ([1], 0)


async def test_a_request_that_fails_is_a_5xx_and_one_without_an_answer_is_none() -> None:
    counts = Traffic()

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return None

    with pytest.raises(RuntimeError):
        await ask(counts, failing)
    await ask(counts, silent)
    assert counts.responses == {("raw", "GET", "5xx"): 1, ("raw", "GET", "none"): 1}
    assert counts.requests_open == 0


async def test_what_clients_invent_makes_no_new_series() -> None:
    counts = Traffic()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})

    for number in range(50):
        await ask(counts, application, method=f"M{number}", path=f"/{number}/x")
        await ask(counts, application, type="websocket", path=f"/ws/{number}/")
    assert counts.responses == {("pages", "other", "4xx"): 50}
    assert counts.sockets_opened == {"other": 50}


async def test_a_socket_is_open_until_its_application_ends_also_by_an_error() -> None:
    counts, open_meanwhile = Traffic(), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        open_meanwhile.append(counts.sockets_open["log"])
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "123"})
        await send({"type": "websocket.send", "bytes": b"12345"})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await ask(counts, application, type="websocket", path="/ws/logs/7/")
    assert open_meanwhile == [1]
    assert counts.sockets_open["log"] == 0
    assert counts.sockets_opened["log"] == 1
    assert counts.frame_bytes["log"] == 8


async def test_frames_that_are_written_past_send_are_counted_where_they_were_written() -> None:
    counts, full = Traffic(), [False, True]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        write = write_of(scope)
        assert write is not None
        assert [write(b"12", b"3"), write(b"4567")] == [True, False]

    extensions = {WRITE_EXTENSION: {"write": lambda *pieces: not full.pop(0)}}
    await ask(counts, application, type="websocket", path="/ws/logs/7/", extensions=extensions)
    assert counts.frame_bytes["log"] == 3
