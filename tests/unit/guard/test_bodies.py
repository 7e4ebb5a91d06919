"""The limit on bodies, as any ASGI server sees it."""

import json

import pytest

from logviewer.doors.guard import bodies
from logviewer.doors.guard.bodies import call_with_limited_body

LIMIT_BYTES = 10


class Exchange:
    """A server's side of one request: the pieces it has, and what it was sent."""

    def __init__(self, *pieces: bytes, headers: dict[bytes, bytes] | None = None) -> None:
        self.messages = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, 1)
        ]
        self.scope = {"type": "http", "headers": list((headers or {}).items())}
        self.sent: list[dict] = []
        self.called = False

    async def receive(self):
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    async def call(self, application) -> None:
        async def noticed(scope, receive, send):
            self.called = True
            await application(scope, receive, send)

        await call_with_limited_body(LIMIT_BYTES, noticed, self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]


async def read_all(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def hide_errors(scope, receive, send):
    try:
        await read_all(scope, receive, send)
    except Exception:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"oops"})


async def test_a_body_of_the_limit_arrives():
    exchange = Exchange(b"12345", b"67890")
    await exchange.call(read_all)
    assert (exchange.status, exchange.sent[1]["body"]) == (200, b"1234567890")


@pytest.mark.parametrize("application", [read_all, hide_errors])
async def test_a_body_over_the_limit_is_answered_413_whatever_the_application_says(application):
    exchange = Exchange(b"12345", b"67890", b"1", b"never looked at")
    await exchange.call(application)
    assert exchange.status == 413
    assert dict(exchange.sent[0]["headers"])[b"connection"] == b"close"
    assert json.loads(exchange.sent[1]["body"])["type"] == "too-large"
    assert len(exchange.sent) == 3
    assert not exchange.messages, "what was on its way is thrown away"


async def test_a_declared_length_over_the_limit_never_reaches_the_application():
    exchange = Exchange(b"x" * 11, headers={b"content-length": b"11"})
    await exchange.call(read_all)
    assert (exchange.status, exchange.called) == (413, False)


async def test_a_client_that_asks_first_is_not_read_from():
    exchange = Exchange(b"x" * 11, headers={b"content-length": b"11", b"expect": b"100-continue"})
    await exchange.call(read_all)
    assert exchange.status == 413
    assert exchange.messages


async def test_a_response_that_has_started_is_not_replaced():
    async def start_first(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await read_all(scope, receive, send)

    exchange = Exchange(b"x" * 11)
    with pytest.raises(bodies._BodyTooLargeError):
        await exchange.call(start_first)
    assert [message["type"] for message in exchange.sent] == ["http.response.start"]


async def test_an_error_of_the_application_is_its_own():
    async def fail(scope, receive, send):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await Exchange(b"x").call(fail)
