"""What has to happen before the process ends: who is told, who is refused, what is written, and for how long."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest

from logviewer.doors.shutdown import Shutdown, process

Message = MutableMapping[str, Any]


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Shutdown:
    """One that does not end the process of the tests."""
    monkeypatch.setattr(Shutdown, "_end_anyway", lambda _self: None)
    return Shutdown()


class Call:
    """One call of an ASGI application that answers when it is let."""

    def __init__(self, ending: Shutdown, kind: str = "http", received: tuple[Message, ...] = ()) -> None:
        self.go_on = asyncio.Event()
        self.called = False
        self.sent: list[Message] = []
        self._received = list(received)
        self._served = ending.around(self._application)
        self._scope = {"type": kind, "headers": []}

    async def run(self) -> list[Message]:
        await self._served(self._scope, self._receive, self._send)
        return self.sent

    async def _application(self, _scope: Any, _receive: Any, send: Callable[[Message], Any]) -> None:
        self.called = True
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})

    async def _receive(self) -> Message:
        return self._received.pop(0)

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def test_it_waits_for_those_it_serves_and_tells_them_that_the_answer_is_the_last(ending: Shutdown) -> None:
    call = Call(ending)
    running = asyncio.ensure_future(call.run())
    await asyncio.sleep(0)
    draining = asyncio.ensure_future(ending.drain())
    done, _ = await asyncio.wait([draining], timeout=0.05)
    assert not done
    call.go_on.set()
    await draining
    (start,) = await running
    assert start["headers"] == [(b"a", b"b"), (b"connection", b"close")]


async def test_it_does_not_wait_longer_than_its_time(ending: Shutdown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "DRAIN_SECONDS", 0.05)
    running = asyncio.ensure_future(Call(ending).run())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await ending.drain()
    running.cancel()


async def test_where_nobody_is_served_it_ends_at_once(ending: Shutdown) -> None:
    async with asyncio.timeout(10):
        await ending.drain()
    assert ending.begun


async def test_a_request_that_comes_too_late_is_503(ending: Shutdown) -> None:
    ending.begin()
    call = Call(ending)
    start, body = await call.run()
    headers = dict(start["headers"])
    assert (start["status"], headers[b"retry-after"], headers[b"connection"]) == (503, b"1", b"close")
    assert json.loads(body["body"])["type"] == "going-away"
    assert not call.called


async def test_a_socket_that_comes_too_late_is_1001(ending: Shutdown) -> None:
    ending.begin()
    call = Call(ending, "websocket", ({"type": "websocket.connect"},))
    accepted, said, closed = await call.run()
    assert accepted["type"] == "websocket.accept"
    assert json.loads(said["text"])["status"] == 1001
    assert (closed["type"], closed["code"]) == ("websocket.close", 1001)
    assert not call.called


async def test_who_asked_is_told_once_that_it_begins(ending: Shutdown) -> None:
    early, given_up = ending.going_away(), ending.going_away()
    given_up.cancel()
    await asyncio.sleep(0)
    assert len(ending._waiting) == 1
    ending.begin()
    ending.begin()
    assert early.done()
    assert ending.going_away().done()


async def test_what_is_to_be_stopped_and_written_is_in_threads_and_in_order(ending: Shutdown) -> None:
    calls: list[str] = []
    here = threading.get_ident()

    def note(name: str) -> Callable[[], None]:
        def call() -> None:
            assert threading.get_ident() != here
            calls.append(name)
            if name == "fails":
                raise OSError("disk")

        return call

    ending.at_last(note("fails"))
    ending.at_last(note("second"))
    ending.at_first(note("stop"))
    await ending.finish()
    await ending.finish()
    assert calls == ["stop", "fails", "second"]


async def test_what_hangs_is_given_up(ending: Shutdown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "FINISH_SECONDS", 0.1)
    hanging = threading.Event()
    ending.at_last(hanging.wait)
    async with asyncio.timeout(10):
        await ending.finish()
    hanging.set()


async def test_the_end_of_a_lifespan_writes_as_well(ending: Shutdown) -> None:
    written: list[str] = []
    ending.at_last(lambda: written.append("all"))
    call = Call(ending, "lifespan", ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))
    sent = await call.run()
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (written, call.called) == (["all"], False)
