"""A search's life at its door: it ends when its client goes, and few wait for their turn."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter

from logviewer.doors import search as door
from logviewer.doors.routing import http_doors
from logviewer.insight import Found
from logviewer.insight.threads import SearchThreads
from logviewer.models import LogFile
from tests.factories import make_log

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 10
THREADS, WAITING = 1, 2


class Searches:
    """Searches that go on until they are cancelled or released."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)
        self.released = threading.Event()

    def search(self, *_args: Any, cancelled: Callable[[], bool], **_options: Any) -> Found:
        self.begun.release()
        while not self.released.wait(0.001):
            if cancelled():
                self.cancelled.release()
                break
        return Found(0, True, [], None)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Searches]:
    searches = Searches()
    monkeypatch.setattr(door, "search_log", searches.search)
    monkeypatch.setattr(door, "search_threads", SearchThreads(THREADS, WAITING))
    yield searches
    searches.released.set()


@pytest.fixture
def log() -> LogFile:
    return make_log()


async def ask(log: LogFile) -> ApplicationCommunicator:
    path = f"/api/v1/logs/{log.pk}/search"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"q=a",
        "headers": [(b"host", b"localhost")],
    }
    client = ApplicationCommunicator(URLRouter(http_doors), scope)
    await client.send_input({"type": "http.request", "body": b"", "more_body": False})
    return client


async def leave(client: ApplicationCommunicator) -> None:
    await client.send_input({"type": "http.disconnect"})
    await client.wait(WAIT_SECONDS)


async def answer(client: ApplicationCommunicator) -> tuple[int, dict[bytes, bytes], Any]:
    start = await client.receive_output(WAIT_SECONDS)
    body = await client.receive_output(WAIT_SECONDS)
    return start["status"], dict(start["headers"]), json.loads(body["body"])


async def acquired(semaphore: threading.Semaphore) -> None:
    assert await asyncio.to_thread(semaphore.acquire, timeout=WAIT_SECONDS)


async def test_a_search_ends_when_its_client_goes(searches: Searches, log: LogFile) -> None:
    client = await ask(log)
    await acquired(searches.begun)
    await leave(client)
    await acquired(searches.cancelled)


async def test_a_search_whose_client_left_while_it_waited_is_not_begun(searches: Searches, log: LogFile) -> None:
    running, waiting = await ask(log), await ask(log)
    await acquired(searches.begun)
    await leave(waiting)
    await leave(running)
    last = await ask(log)
    await acquired(searches.begun)
    searches.released.set()
    assert (await answer(last))[0] == 200
    assert not searches.begun.acquire(blocking=False)


@pytest.mark.bad_input("more searches than the server takes")
async def test_more_than_may_wait_are_told_to_come_again(searches: Searches, log: LogFile) -> None:
    others = [door.search_threads.start(lambda _cancelled: searches.released.wait()) for _ in range(THREADS + WAITING)]
    told, headers, problem = await answer(await ask(log))
    assert (told, problem["type"], headers[b"retry-after"]) == (503, "busy", b"2")
    searches.released.set()
    for other in others:
        assert await asyncio.wrap_future(other.future)
    assert (await answer(await ask(log)))[0] == 200
