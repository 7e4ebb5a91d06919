"""The request that is being served: what every line in the log says of it, whoever writes the line.

Filled by `access_log`, read by the formatters in `buildlogs.logs`. It imports nothing that needs Django, for logging is
set up first. Nothing that could be a secret is in it: no query, no header's value but a request id.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from typing import Any

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What is taken from `X-Request-ID`: it comes back in a header and stands in the log, so it can break neither."""

MADE_ID_BYTES = 12
MAX_PATH_CHARACTERS = 500
LOG_PATH = re.compile(r"/(?:(?:api/v1|ws)/logs|html-logs)/([0-9]{1,19})(?:/|\Z)")
BUILD_PATH = re.compile(r"/(?:api/v1|ws)/builds/([0-9]{1,19})(?:/|\Z)")
CUT = "…"


class Request:
    """One HTTP request or one WebSocket, from its beginning to its end."""

    __slots__ = ("_scope", "began", "ended", "id")

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self._scope = scope
        self.id = request_id(scope["headers"])
        self.began = time.monotonic()
        self.ended = False

    def facts(self) -> dict[str, str | int]:
        """What the log says of it, under the names it has there."""
        path: str = self._scope["path"]
        facts: dict[str, str | int] = {
            "request_id": self.id,
            "method": printable(self._scope.get("method", "WEBSOCKET")),
            "path": printable(path),
            "caller": caller_kind(self._scope["headers"]),
        }
        for name, pattern in (("log", LOG_PATH), ("build", BUILD_PATH)):
            if match := pattern.match(path):
                facts[name] = int(match[1])
        return facts

    def elapsed_ms(self) -> float:
        """How long it has taken so far."""
        return round((time.monotonic() - self.began) * 1000, 1)


current: ContextVar[Request | None] = ContextVar("current", default=None)


def current_request() -> Request | None:
    """The request on whose behalf this runs; None where there is none, or it is over, and a task it began lives on."""
    request = current.get()
    return None if request is None or request.ended else request


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that the client or a proxy gave it, if it is sane; else a new one."""
    for name, value in headers:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if REQUEST_ID.fullmatch(text):
                return text
    return secrets.token_hex(MADE_ID_BYTES)


def caller_kind(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """What the caller came with: `token`, `cookie` or `nothing`. Whether it was any good is what the status says."""
    names = {name for name, _value in headers}
    if b"authorization" in names:
        return "token"
    return "cookie" if b"cookie" in names else "nothing"


def printable(text: str) -> str:
    """`text` as it can stand in one line of a log: control characters escaped, the rest of what is too long cut."""
    shown = text if len(text) <= MAX_PATH_CHARACTERS else text[:MAX_PATH_CHARACTERS] + CUT
    if shown.isprintable() and " " not in shown:
        return shown
    return shown.encode("unicode_escape").decode("ascii").replace(" ", "\\x20")
