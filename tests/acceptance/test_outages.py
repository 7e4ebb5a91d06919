"""Redis and PostgreSQL go away under two processes, and come back: nothing that was acknowledged is lost.

Viewers read the store, so that Redis only hurries them; PostgreSQL says who may, so that nobody new is served while it
is away, and everybody again when it is back.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.outages import OwnRedis, Way
from tests.acceptance.processes import two_processes
from tests.acceptance.scrape import scrape
from tests.acceptance.server import Server

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PAUSE_SECONDS = 0.05  # between two lines
MAX_LAG_SECONDS = 2.0
SLACK_SECONDS = 3.0  # of a machine at load 8
RECOVERY_SECONDS = 20.0
END_SECONDS = 5.0
PROMPT_SECONDS = 0.5
PROMPT_LINES = 20  # without announcements, looks once a second let one of two lines wait longer than PROMPT_SECONDS

BOTH_SERVERS = pytest.mark.parametrize(
    "servers", ["daphne", pytest.param("uvicorn", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def way(postgres_url: str) -> Iterator[Way]:
    opened = Way(postgres_url, 5432)
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def servers(request: pytest.FixtureRequest, data_dir: Path, way: Way, own_redis: OwnRedis) -> Iterator[list[Server]]:
    """Two processes of the wanted kind on one data directory, one Redis, and PostgreSQL at the end of the way."""
    environment = {
        "DATABASE_URL": way.url,
        "REDIS_URL": own_redis.url,
        "BUILDLOGS_DEBUG": "0",
        "BUILDLOGS_UPKEEP_IN_SERVER": "0",
    }
    with two_processes(data_dir, environment, kind=request.param) as started:
        yield started


class Chatter:
    """A writer that sends a line every moment, and notes when each was acknowledged and what was not."""

    def __init__(self, server: Server, token: str, log_id: int) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/vnd.buildlogs.chunks"}
        self._http = httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30)
        self._path = f"/api/v1/logs/{log_id}/chunks"
        self.text = b""
        self.acknowledged_at: list[float] = []
        self.refusals: list[httpx.Response] = []
        self.slowest_seconds = 0.0
        self.ended = False

    async def run(self) -> None:
        while not self.ended:
            line = b"line %d\n" % len(self.acknowledged_at)
            began = time.monotonic()
            answer = await self._http.post(
                self._path, content=entry(0, line), headers={"Upload-Offset": str(len(self.text))}
            )
            now = time.monotonic()
            self.slowest_seconds = max(self.slowest_seconds, now - began)
            if answer.status_code == 200:
                assert answer.json()["received"] == len(self.text) + len(line)
                self.text += line
                self.acknowledged_at.append(now)
            else:
                self.refusals.append(answer)
            await asyncio.sleep(PAUSE_SECONDS)


class Watcher:
    """A viewer that notes when each line came."""

    def __init__(self, server: Server, token: str, log_id: int) -> None:
        self._viewer = Viewer(server.websocket_url, log_id, token=token)
        self.seen_at: list[float] = []

    @property
    def text(self) -> bytes:
        return bytes(self._viewer.data)

    @property
    def close_code(self) -> int | None:
        return self._viewer.close_code

    async def run(self) -> None:
        await self._viewer.open()
        try:
            while True:
                await self._viewer.step()
                lines = self._viewer.data.count(b"\n")
                self.seen_at += [time.monotonic()] * (lines - len(self.seen_at))
        except ConnectionClosed as closed:
            self._viewer.close_code = closed.rcvd.code if closed.rcvd else None

    async def stop(self) -> None:
        await self._viewer.stop()


def lags(chatter: Chatter, watcher: Watcher) -> list[float]:
    """How long after its acknowledgement each line came."""
    return [max(0.0, seen - stored) for stored, seen in zip(chatter.acknowledged_at, watcher.seen_at, strict=False)]


@asynccontextmanager
async def talking(servers: list[Server], token: str, log_id: int) -> AsyncIterator[tuple[Chatter, list[Watcher]]]:
    """A writer at the first process, and viewers at both; at the end every viewer has what was acknowledged."""
    chatter = Chatter(servers[0], token, log_id)
    watchers = [Watcher(server, token, log_id) for server in servers]
    writing = asyncio.ensure_future(chatter.run())
    watching = [asyncio.ensure_future(watcher.run()) for watcher in watchers]
    try:
        await until(lambda: all(len(watcher.seen_at) > PROMPT_LINES for watcher in watchers), [writing])
        yield chatter, watchers
        chatter.ended = True
        await writing
        await until(lambda: all(watcher.text == chatter.text for watcher in watchers), [])
    finally:
        for task in (writing, *watching):
            task.cancel()
        await asyncio.gather(writing, *watching, *(watcher.stop() for watcher in watchers), return_exceptions=True)


async def until(condition: Callable[[], Any], tasks: list[asyncio.Task[None]], seconds: float = 20.0) -> None:
    """Wait until the condition holds; a task that fails meanwhile fails the test."""
    deadline = time.monotonic() + seconds
    while not condition():
        for task in tasks:
            if task.done():
                task.result()
        assert time.monotonic() < deadline, "what was waited for never came"
        await asyncio.sleep(0.02)


async def ready(server: Server) -> tuple[int, dict[str, str]]:
    """What /readyz says; never more than that."""
    async with httpx.AsyncClient(timeout=20) as http:
        answer = await http.get(f"{server.url}/readyz")
    assert "Traceback" not in answer.text
    return answer.status_code, answer.json()


async def until_ready(servers: list[Server], expected: tuple[int, str, str]) -> None:
    """Wait until every process says of itself: status, database, layer."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    for server in servers:
        while True:
            status, parts = await ready(server)
            if (status, parts["database"], parts["layer"]) == expected:
                break
            assert time.monotonic() < deadline, (status, parts)
            await asyncio.sleep(0.1)


async def until_prompt(chatter: Chatter, watcher: Watcher) -> None:
    """Wait until PROMPT_LINES lines in a row come at once: announcements arrive again."""

    def prompt() -> bool:
        latest = lags(chatter, watcher)[-PROMPT_LINES:]
        return len(latest) == PROMPT_LINES and max(latest) < PROMPT_SECONDS

    await until(prompt, [], RECOVERY_SECONDS)


@BOTH_SERVERS
async def test_redis_may_go_and_hang_and_come_back(servers: list[Server], own_redis: OwnRedis) -> None:
    token = servers[0].token()
    writer = Writer(servers[0].url, token)
    log, other = writer.new_log(), writer.new_log("other")
    async with talking(servers, token, log["id"]) as (chatter, watchers):
        await until_prompt(chatter, watchers[1])
        for go, come in ((own_redis.stop, own_redis.start), (own_redis.freeze, own_redis.thaw)):
            go()
            began = len(chatter.acknowledged_at)
            chatter.slowest_seconds = 0.0
            await until_ready(servers, (503, "ok", "failed"))
            async with talking(servers, token, other["id"]) as (other_chatter, newcomers):
                await asyncio.sleep(2.5)  # an outage that the timeouts of both sides see
                away = range(began, len(chatter.acknowledged_at))
                come()
                await until_ready(servers, (200, "ok", "ok"))
                await until_prompt(chatter, watchers[1])
                await until_prompt(other_chatter, newcomers[1])
            worst = max(lags(chatter, watchers[1])[began : away.stop])
            print(
                f"{go.__name__}: {len(away)} lines while Redis was away, the latest {worst:.2f} s late, "
                f"slowest acknowledgement {chatter.slowest_seconds:.2f} s"
            )
            assert worst < MAX_LAG_SECONDS + SLACK_SECONDS
            assert len(away) >= 20, "the writer was held up"
            other = writer.new_log("another")
        assert chatter.refusals == []


@BOTH_SERVERS
async def test_postgresql_may_go_and_come_back(servers: list[Server], way: Way) -> None:
    token = servers[0].token("--scopes", "read,write")
    writer = Writer(servers[0].url, token)
    log = writer.new_log()
    async with talking(servers, token, log["id"]) as (chatter, watchers):
        for server in servers:
            await asyncio.to_thread(scrape, server, token)
        way.cut()
        await until(lambda: chatter.refusals, [])
        stored = len(chatter.acknowledged_at)
        await until_ready(servers, (503, "failed", "ok"))
        for server in servers:
            await expect_away(server, token, log)
            assert (await asyncio.to_thread(scrape, server, token))("buildlogs_viewers", kind="log") >= 1
        await until(lambda: len(chatter.refusals) >= 5, [])
        for refusal in chatter.refusals:
            assert (refusal.status_code, refusal.json()["type"]) == (503, "database-away")
            assert int(refusal.headers["retry-after"]) >= 1
        await until(lambda: all(len(watcher.seen_at) >= stored for watcher in watchers), [])
        way.open()
        await until_ready(servers, (200, "ok", "ok"))
        await until(lambda: len(chatter.acknowledged_at) > stored + PROMPT_LINES, [])
        assert [watcher.close_code for watcher in watchers] == [None, None], "a viewer was sent away"
    digest = hashlib.sha256(chatter.text).hexdigest()
    finished = await asyncio.to_thread(writer.finish, log["id"], received=len(chatter.text), sha256=digest)
    assert finished.json()["completeness"] == "verified"
    assert writer.http.get(f"/logs/{log['id']}/raw").content == chatter.text


async def expect_away(server: Server, token: str, log: dict[str, Any]) -> None:
    """What strangers are told while PostgreSQL is away: that, and nothing else."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        assert (await http.get("/healthz")).status_code == 200
        for path, cookie in (
            ("/", ""),
            ("/", "sessionid=abc"),
            ("/api/v1/projects", ""),
            (f"/api/v1/logs/{log['id']}/raw", ""),
            (f"/api/v1/logs/{log['id']}/raw", "sessionid=abc"),
        ):
            answer = await http.get(path, headers={**headers, **({"Cookie": cookie} if cookie else {})})
            assert (answer.status_code, "Traceback" in answer.text) == (503, False), (path, cookie, answer.text)
            assert int(answer.headers["retry-after"]) >= 1
    for cookies in ({}, {"Cookie": "sessionid=abc"}):
        viewer = Viewer(server.websocket_url, log["id"], token=token, headers=dict(cookies))
        await viewer.open()
        assert ((await viewer.step()) or {})["status"] == 1013
        assert (await viewer.drain()).close_code == 1013


@pytest.mark.slow
@pytest.mark.parametrize("servers", ["daphne"], indirect=True)
async def test_a_postgresql_that_hangs_is_given_up_in_seconds(servers: list[Server], way: Way) -> None:
    token = servers[0].token("--scopes", "read,write")
    log = Writer(servers[0].url, token).new_log()
    async with talking(servers, token, log["id"]) as (chatter, watchers):
        way.hang()
        await until_ready(servers, (503, "failed", "ok"))
        await until(lambda: chatter.refusals, [], 30)
        assert (chatter.refusals[0].status_code, chatter.refusals[0].json()["type"]) == (503, "database-away")
        print(f"the writer waited {chatter.slowest_seconds:.1f} s for its refusal")
        stored = len(chatter.acknowledged_at)
        way.go_on()
        await until_ready(servers, (200, "ok", "ok"))
        await until(lambda: len(chatter.acknowledged_at) > stored + PROMPT_LINES, [])
        assert [watcher.close_code for watcher in watchers] == [None, None], "a viewer was sent away"
    way.hang()  # again: what hangs does not hold up the end either
    hanging = asyncio.ensure_future(asyncio.to_thread(Writer(servers[1].url, token).http.get, "/projects"))
    await asyncio.sleep(0.5)
    process = servers[1].process
    assert process is not None
    process.terminate()
    assert await asyncio.to_thread(process.wait, END_SECONDS + SLACK_SECONDS) == 0
    await asyncio.gather(hanging, return_exceptions=True)
