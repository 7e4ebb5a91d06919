"""What comes and goes through the doors of this process, counted around the whole application.

The numbers belong to the event loop's thread. A counted `send` is a plain function that hands on the awaitable it gets:
0.2 us a message, where another coroutine would be 0.5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, MutableMapping
from typing import Any

from logviewer.doors.guard import WRITE_EXTENSION, write_of
from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope
from logviewer.doors.metrics.loop_lag import loop_lag
from logviewer.doors.rates import Application

LOGS = "/api/v1/logs/"
LOG_DOORS = frozenset({"chunks", "lines", "marks", "progressiveText", "raw", "search"})
DOORS = frozenset({*LOG_DOORS, "zip", "api", "static", "admin", "health", "metrics", "pages"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SOCKETS = {"logs": "log", "builds": "build", "projects": "project", "intake": "intake"}
VIEWERS = ("log", "build", "project")
OTHER = "other"
CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")
NO_ANSWER = "none"
"""The class of a request whose client had gone before it was answered."""


class Traffic:
    """Counts of one process; the keys are of small, fixed sets, whatever clients send."""

    def __init__(self) -> None:
        self.requests_open = 0
        self.responses: Counter[tuple[str, str, str]] = Counter()
        """By door, method and class of the status: `("raw", "GET", "2xx")`."""
        self.response_bytes: Counter[str] = Counter()
        self.sockets_open: Counter[str] = Counter()
        self.sockets_opened: Counter[str] = Counter()
        self.frame_bytes: Counter[str] = Counter()


traffic = Traffic()


def door_of(path: str) -> str:
    """The door that a path leads to, one of DOORS."""
    if path.startswith(LOGS):
        last = path.rpartition("/")[2]
        return last if last in LOG_DOORS and path.count("/", len(LOGS)) == 1 else "api"
    first = path.split("/", 2)[1] if "/" in path else ""
    if first == "api":
        return "zip" if path.endswith("/logs.zip") else "api"
    if first in ("static", "admin", "metrics"):
        return first
    return "health" if first in ("healthz", "readyz") else "pages"


def socket_of(path: str) -> str:
    """The kind of socket that a path leads to."""
    parts = path.split("/", 3)
    return SOCKETS.get(parts[2], OTHER) if len(parts) > 2 and parts[1] == "ws" else OTHER


def count_traffic(application: Application, counts: Traffic = traffic) -> Application:
    """Put the counting before an ASGI application."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        loop_lag.watch()
        if scope["type"] == "http":
            await _count_request(counts, application, scope, receive, send)
        elif scope["type"] == "websocket":
            await _count_socket(counts, application, scope, receive, send)
        else:
            await application(scope, receive, send)

    return counted


async def _count_request(counts: Traffic, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    door = door_of(scope["path"])
    method = scope["method"] if scope["method"] in METHODS else OTHER
    answer = NO_ANSWER

    def send_counted(message: MutableMapping[str, Any]) -> Awaitable[None]:
        nonlocal answer
        if message["type"] == "http.response.body":
            counts.response_bytes[door] += len(message.get("body", b""))
        elif message["type"] == "http.response.start":
            answer = CLASSES[message["status"] // 100]
        return send(message)

    counts.requests_open += 1
    try:
        await application(scope, receive, send_counted)
    except Exception:
        answer = "5xx"
        raise
    finally:
        counts.requests_open -= 1
        counts.responses[door, method, answer] += 1


async def _count_socket(counts: Traffic, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    kind = socket_of(scope["path"])

    def send_counted(message: MutableMapping[str, Any]) -> Awaitable[None]:
        data = message.get("bytes") or message.get("text")
        if data:
            counts.frame_bytes[kind] += len(data)
        return send(message)

    write = write_of(scope)

    def write_counted(*pieces: bytes | memoryview) -> bool:
        assert write is not None
        written = write(*pieces)
        if written:
            counts.frame_bytes[kind] += sum(map(len, pieces))
        return written

    if write is not None:
        extensions = scope["extensions"]
        scope = {**scope, "extensions": {**extensions, WRITE_EXTENSION: {"write": write_counted}}}
    counts.sockets_open[kind] += 1
    counts.sockets_opened[kind] += 1
    try:
        await application(scope, receive, send_counted)
    finally:
        counts.sockets_open[kind] -= 1
