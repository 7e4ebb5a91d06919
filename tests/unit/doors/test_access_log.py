"""The line for each request and socket, and its id in the answer."""

from __future__ import annotations

import asyncio
import json
import logging
from ipaddress import ip_network
from typing import Any

import pytest

from buildlogs.logs import JsonLines
from logviewer.doors.access_log import log_requests
from logviewer.doors.requests import current_request
from logviewer.live.threads import in_reading_thread, in_writing_thread

logger = logging.getLogger("tests.door")


class Lines(logging.Handler):
    """Keeps what is logged, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.told: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Any:
    handler = Lines()
    root = logging.getLogger()
    level = root.level
    handler.addFilter(lambda record: record.name in ("buildlogs.access", logger.name))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.told
    root.removeHandler(handler)
    root.setLevel(level)


def scope(path: str = "/api/v1/logs/7/raw", kind: str = "http", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    made = {"type": kind, "path": path, "query_string": b"q=secret", "headers": pairs, "client": ("192.0.2.1", 5)}
    return made | ({"method": "GET"} if kind == "http" else {})


async def call(application: Any, asked: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    await log_requests(application, [ip_network("10.0.0.0/8")], **options)(asked, receive, send)
    return sent


def answering(status: int) -> Any:
    async def application(asked: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b""})

    return application


async def test_a_request_is_one_line_with_all_that_is_known_of_it(lines: list[dict[str, Any]]) -> None:
    sent = await call(answering(200), scope(x_request_id="abc", authorization="Bearer bl_secret"))
    assert sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", b"abc")]
    [line] = lines
    assert line.pop("ms") >= 0
    assert line.pop("time")
    assert line.pop("message").startswith("GET /api/v1/logs/7/raw 200 ")
    assert line == {
        "level": "INFO",
        "logger": "buildlogs.access",
        "request_id": "abc",
        "method": "GET",
        "path": "/api/v1/logs/7/raw",
        "caller": "token",
        "log": 7,
        "status": 200,
        "client": "192.0.2.1",
    }


async def test_what_is_asked_all_the_time_is_said_at_debug_while_it_goes_well(lines: list[dict[str, Any]]) -> None:
    for path in ("/healthz", "/static/a.css", "/metrics"):
        await call(answering(200), scope(path))
    await call(answering(503), scope("/readyz"))
    assert [line["level"] for line in lines] == ["DEBUG", "DEBUG", "DEBUG", "INFO"]


async def test_a_request_that_fails_or_is_left_is_a_line_too(lines: list[dict[str, Any]]) -> None:
    async def failing(asked: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    async def left(asked: Any, receive: Any, send: Any) -> None:
        return

    with pytest.raises(RuntimeError):
        await call(failing, scope())
    await call(left, scope())
    assert [line["status"] for line in lines] == [500, None]


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_socket_is_a_line_at_its_end(lines: list[dict[str, Any]], accepted: bool) -> None:
    async def socket(asked: Any, receive: Any, send: Any) -> None:
        if accepted:
            await send({"type": "websocket.accept", "subprotocol": None})
        await send({"type": "websocket.close", "code": 4404})

    sent = await call(socket, scope("/ws/builds/3/", "websocket", x_request_id="abc", cookie="sessionid=secret"))
    if accepted:
        assert sent[0]["headers"] == [(b"x-request-id", b"abc")]
    [line] = lines
    told = {name: line[name] for name in ("method", "status", "code", "build", "caller", "request_id")}
    assert told == {
        "method": "WEBSOCKET",
        "status": 101 if accepted else 403,
        "code": 4404,
        "build": 3,
        "caller": "cookie",
        "request_id": "abc",
    }


async def test_whatever_a_request_logs_bears_its_id_on_other_threads_too(lines: list[dict[str, Any]]) -> None:
    async def talking(asked: Any, receive: Any, send: Any) -> None:
        logger.warning("here")
        await in_reading_thread(logger.warning, "reading")
        await in_writing_thread(logger.warning, "writing")
        await asyncio.to_thread(logger.warning, "elsewhere")
        await answering(200)(asked, receive, send)

    await asyncio.gather(*(call(talking, scope(x_request_id=name)) for name in ("one", "two")))
    found = {
        name: [line["message"].split()[0] for line in lines if line["request_id"] == name] for name in ("one", "two")
    }
    assert found == {name: ["here", "reading", "writing", "elsewhere", "GET"] for name in ("one", "two")}
    assert current_request() is None


async def test_without_the_access_log_ids_are_there_all_the_same(lines: list[dict[str, Any]]) -> None:
    sent = await call(answering(404), scope(x_request_id="abc"), write=False)
    assert (b"x-request-id", b"abc") in sent[0]["headers"]
    assert lines == []


async def test_behind_a_trusted_proxy_the_client_is_named(lines: list[dict[str, Any]]) -> None:
    await call(answering(200), scope(x_forwarded_for="198.51.100.7") | {"client": ("10.0.0.1", 1)})
    assert lines[0]["client"] == "198.51.100.7"
