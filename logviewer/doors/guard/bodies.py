"""The limit on request bodies, for any ASGI server, and the answer to a body beyond it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from logviewer.doors.site_headers import SITE_HEADERS

DEFAULT_MAX_BODY_BYTES = 1024 * 1024 + 64 * 1024
"""The largest chunk upload is 1 MiB of log; 64 KiB more leave room for the framing of its entries (http-api.md)."""

LINGER_BYTES = 64 * 1024 * 1024
"""How much of a refused body is read and thrown away, so that a client that sends all first sees the answer."""

LINGER_SECONDS = 30.0
"""How long that may take; nginx's ``lingering_time``."""

LINGER_IDLE_SECONDS = 5.0
"""How long nothing may arrive meanwhile; nginx's ``lingering_timeout``."""


def too_large_problem(max_body_bytes: int) -> bytes:
    """Return the problem document (RFC 9457) that says a request body is over ``max_body_bytes``."""
    return json.dumps(
        {
            "type": "too-large",
            "title": "The request body is too large",
            "status": 413,
            "detail": f"A request body may have at most {max_body_bytes} bytes; send the rest in further requests.",
        }
    ).encode()


def timeout_problem() -> bytes:
    """Return the problem document that says that a request did not arrive in time."""
    return json.dumps(
        {
            "type": "request-timeout",
            "title": "The request took too long",
            "status": 408,
            "detail": "The request did not arrive whole in the time it has; send it again.",
        }
    ).encode()


def problem_headers(problem: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers that go with ``problem``; the connection closes, as the body was not read to its end."""
    return [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(problem)),
        (b"connection", b"close"),
        *SITE_HEADERS,
    ]


class _BodyTooLargeError(Exception):
    """More of the body arrived than the limit allows; never leaves this module."""


async def call_with_limited_body(
    max_body_bytes: int,
    application: Callable[..., Awaitable[None]],
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Call an HTTP application that is never handed more than ``max_body_bytes`` of request body.

    A declared length over the limit is answered before the application is called. A body without a declared length is
    counted as it is received: the ``receive`` that passes the limit raises inside the application, what it still sends
    is dropped unless its response had started, and the client gets 413.
    """
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > max_body_bytes:
        await _refuse(max_body_bytes, b"expect" not in headers, receive, send)
        return

    received_bytes = 0
    response_started = False

    async def receive_counted() -> MutableMapping[str, Any]:
        nonlocal received_bytes
        if received_bytes > max_body_bytes:
            raise _BodyTooLargeError
        message = await receive()
        if message["type"] == "http.request":
            received_bytes += len(message.get("body", b""))
            if received_bytes > max_body_bytes:
                raise _BodyTooLargeError
        return message

    async def send_unless_refused(message: MutableMapping[str, Any]) -> None:
        nonlocal response_started
        if received_bytes > max_body_bytes and not response_started:
            return
        response_started = True
        await send(message)

    try:
        await application(scope, receive_counted, send_unless_refused)
    except Exception:
        if received_bytes <= max_body_bytes or response_started:
            raise
    if received_bytes > max_body_bytes and not response_started:
        await _refuse(max_body_bytes, True, receive, send)


async def _refuse(
    max_body_bytes: int,
    body_is_coming: bool,
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send 413 and, before the response ends and the server closes, throw away what the client still sends."""
    problem = too_large_problem(max_body_bytes)
    await send({"type": "http.response.start", "status": 413, "headers": problem_headers(problem)})
    await send({"type": "http.response.body", "body": problem, "more_body": True})
    if body_is_coming:
        await _discard(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    """Receive until the body ends or the linger limits are reached."""
    left_bytes = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while left_bytes > 0:
                async with asyncio.timeout(LINGER_IDLE_SECONDS):
                    message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left_bytes -= len(message.get("body", b""))
    except TimeoutError:
        return
