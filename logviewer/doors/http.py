"""HTTP for the byte doors: plain ASGI, without Django's middleware, which costs six times the work of a small body.

Measured on Daphne: 469 small POSTs a second through a Django async view, 2887 through Channels, 3938 plain (limits.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from logviewer.doors.guard import DEFAULT_MAX_BODY_BYTES
from logviewer.doors.identity import Scope, header, host_is_allowed
from logviewer.resources.errors import TooLarge
from logviewer.resources.problems import CONTENT_TYPE, Problem, internal, problem_from

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[str, str]]
Handler = Callable[["Exchange"], Awaitable[None]]


class RefusedRequest(Exception):
    """A request that is answered with `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class BadRequest(RefusedRequest):
    """A request that cannot be understood; `field` is the parameter or header at fault."""

    def __init__(self, field: str, detail: str, *, status: int = 400, title: str = "Bad request") -> None:
        super().__init__(Problem("invalid", title, status, detail, {field: [detail]}))


class ClientGone(Exception):
    """The client went away before its body had come."""


@dataclass
class Exchange:
    """One request and its response."""

    scope: Scope
    receive: Receive
    send: Send
    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    started: bool = False

    def header(self, name: bytes) -> str | None:
        """The request's first header of that (lower-case) name."""
        return header(self.scope, name)

    def header_list(self, name: bytes) -> str | None:
        """All headers of that (lower-case) name as one list (RFC 9110, section 5.3), or None."""
        values = [value.decode("latin-1") for key, value in self.scope["headers"] if key == name]
        return ", ".join(values) if values else None

    def parameter(self, name: str) -> str | None:
        """The query parameter, or None; given twice it is refused."""
        values = self.query.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise BadRequest(name, f"{name} is given {len(values)} times")
        return values[0]

    def refuse_unknown_parameters(self, known: Collection[str]) -> None:
        """Refuse what this address does not know: a wish that is not heard had better not look granted."""
        for name in self.query:
            if name not in known:
                there_are = f"there are {', '.join(sorted(known))}" if known else "this address takes none"
                raise BadRequest(name[:80], f"there is no parameter {name[:80]!r}; {there_are}")

    def number(self, field: str, text: str | None) -> int | None:
        """`text` as a whole number of 0 or more, or None where it is None."""
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(2**63)) or int(text) >= 2**63:
            raise BadRequest(field, f"{field} must be a whole number from 0 to 2^63-1, not {text[:40]!r}")
        return int(text)

    async def body(self) -> bytes:
        """The whole body, at most DEFAULT_MAX_BODY_BYTES.

        Raises:
            TooLarge: it is larger.
            ClientGone: the connection ended first.
        """
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece = message.get("body", b"")
            size += len(piece)
            if size > DEFAULT_MAX_BODY_BYTES:
                raise TooLarge(DEFAULT_MAX_BODY_BYTES)
            pieces.append(piece)
            if not message.get("more_body", False):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def consume_body(self) -> None:
        """Read the (empty) body of a GET, so that the next message is the client's going away."""
        await self.body()

    async def start(self, status: int, headers: Headers) -> None:
        """Send the response's status and headers."""
        self.started = True
        encoded = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client is slower."""
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End the response."""
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole small response."""
        await self.start(status, [*headers, ("Content-Length", str(len(body)))])
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def gone(self) -> None:
        """Wait until the client has gone; call it after the body was read."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def door(handlers: Mapping[str, Handler]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An ASGI application that answers each method with its handler, and every error with a problem."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
        exchange = Exchange(scope, receive, send, scope["url_route"]["kwargs"], query)
        try:
            await _dispatch(exchange, handlers)
        except ClientGone:
            return
        except Exception as error:
            if exchange.started:  # too late for a problem; whoever called us breaks the response off, and says why
                raise
            await send_problem(send, _problem(error))

    return application


async def _dispatch(exchange: Exchange, handlers: Mapping[str, Handler]) -> None:
    if not host_is_allowed(exchange.scope):
        raise BadRequest("Host", "this Host is not one of BUILDLOGS_ALLOWED_HOSTS")
    handler = handlers.get(exchange.scope["method"])
    if handler is None:
        allowed = ", ".join(handlers)
        detail, headers = f"this address takes {allowed}", {"Allow": allowed}
        raise RefusedRequest(Problem("method-not-allowed", "Method not allowed", 405, detail, headers=headers))
    await handler(exchange)


def _problem(error: Exception) -> Problem:
    """What the client is told of `error`; what is nobody's business is logged instead."""
    if isinstance(error, RefusedRequest):
        return error.problem
    known = problem_from(error)
    if known is not None:
        if known.type == "damaged":
            logger.error("a log is damaged: %s", error)
        return known
    logger.error("a byte door failed", exc_info=error)
    return internal()


async def send_problem(send: Send, problem: Problem) -> None:
    """Answer with `problem`, as whoever speaks plain ASGI does here."""
    body = problem.body()
    headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **problem.headers}
    encoded = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": problem.status, "headers": encoded}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def while_connected(exchange: Exchange, work: Awaitable[None]) -> None:
    """Do `work` (a response) and cancel it when the client goes away first."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(exchange.gone())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        task.result()
    finally:
        for future in (task, gone):
            future.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)
