"""A line in the log for each request and each socket, and the request's id in its answer and in all that is logged.

The servers' own access logs are silenced where this one is written: theirs repeat query strings, in which people put
what they should not, and know no ids. What it costs a message is what `metrics.traffic` costs; the line itself is made
once a request, after its answer.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, MutableMapping, Sequence
from typing import Any

from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope
from logviewer.doors.metrics.traffic import door_of
from logviewer.doors.rates import Application, client_address
from logviewer.doors.requests import Request, current
from logviewer.resources.client import Network

logger = logging.getLogger("buildlogs.access")

QUIET_DOORS = frozenset({"health", "metrics", "static"})
"""What is asked all the time: said at DEBUG where it went well."""

FIRST_ERROR_STATUS = 400
SWITCHING_PROTOCOLS = 101
FORBIDDEN = 403
FAILED = 500
STARTS = frozenset({"http.response.start", "websocket.accept"})


def log_requests(
    application: Application, trusted_proxies: Sequence[Network] = (), *, write: bool = True
) -> Application:
    """Put ids, and where `write` is true the access log, around an ASGI application."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await application(scope, receive, send)
            return
        request = Request(scope)
        header = (b"x-request-id", request.id.encode("ascii"))
        status: int | None = None
        code: int | None = None

        def send_noted(message: MutableMapping[str, Any]) -> Awaitable[None]:
            nonlocal status, code
            kind = message["type"]
            if kind in STARTS:
                status = message.get("status", SWITCHING_PROTOCOLS)
                message = {**message, "headers": [*message.get("headers", ()), header]}
            elif kind == "websocket.close":
                code = message.get("code", 1000)
                status = status or FORBIDDEN
            return send(message)

        token = current.set(request)
        try:
            await application(scope, receive, send_noted)
        except Exception:
            status = status or FAILED
            raise
        finally:
            if write:
                _write(scope, request, status, code, trusted_proxies)
            request.ended = True
            current.reset(token)

    return logged


def _write(
    scope: Scope, request: Request, status: int | None, code: int | None, trusted_proxies: Sequence[Network]
) -> None:
    """Write the line. A status of None is a client that had gone before it was answered."""
    went_well = status is not None and status < FIRST_ERROR_STATUS
    quiet = went_well and scope["type"] == "http" and door_of(scope["path"]) in QUIET_DOORS
    level = logging.DEBUG if quiet else logging.INFO
    if not logger.isEnabledFor(level):
        return
    facts = request.facts()
    outcome: dict[str, Any] = {"status": status, "ms": request.elapsed_ms()}
    if scope["type"] == "websocket":
        outcome["code"] = code
    outcome["client"] = client_address(scope, trusted_proxies)
    words = [facts["method"], facts["path"], "-" if status is None else status, f"{outcome['ms']:g} ms"]
    if code is not None:
        words.insert(3, f"closed with {code}")
    words += [outcome["client"] or "-", facts["caller"]]
    logger.log(level, "%s", " ".join(map(str, words)), extra={"facts": outcome})


def silence_servers() -> None:
    """Have Daphne, where this process is one, write no access log of its own; uvicorn's is silenced by the settings.

    Its `log_action` does nothing where no logger was asked for, as with `-v 0`.
    """
    if "daphne.server" in sys.modules:
        from daphne.server import Server

        Server.log_action = _say_nothing


def _say_nothing(server: object, protocol: str, action: str, details: object) -> None:
    pass
