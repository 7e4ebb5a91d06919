"""Two processes are restarted one after the other under load: every log is whole, every viewer has all of it."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidHandshake

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.processes import two_processes
from tests.acceptance.server import Server

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(120)]

LOGS = 4
VIEWERS_OF_A_LOG = 3
LINES_A_BODY = 20
PAUSE_SECONDS = 0.05
RETRY_SECONDS = 0.25
STOP_SECONDS = 15.0


@pytest.fixture
def servers(
    request: pytest.FixtureRequest, data_dir: Path, postgres_url: str, redis_url: str
) -> Iterator[list[Server]]:
    environment = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
    with two_processes(data_dir, environment, kind=request.param) as started:
        yield started


class PatientWriter:
    """A writer as the agent is one: whatever is not acknowledged is sent again, to whichever process answers."""

    def __init__(self, servers: list[Server], token: str, log_id: int, choose: random.Random) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/vnd.buildlogs.chunks"}
        self._servers = servers
        self._log_id = log_id
        self._choose = choose
        self._at = choose.randrange(2)
        self.ended = asyncio.Event()
        self.text = b""
        self.refusals: list[str] = []

    async def run(self) -> None:
        async with httpx.AsyncClient(headers=self._headers, timeout=20) as http:
            for number in count():
                if self.ended.is_set():
                    break
                lines = [b"%d.%d of log %d\n" % (number, line, self._log_id) for line in range(LINES_A_BODY)]
                await self._deliver(http, b"".join(lines))
                await asyncio.sleep(PAUSE_SECONDS)
            await self._finish(http)

    async def _deliver(self, http: httpx.AsyncClient, data: bytes) -> None:
        headers = {"Upload-Offset": str(len(self.text))}
        answer = await self._ask(http, "chunks", content=entry(0, data), headers=headers)
        self.text += data
        assert answer["received"] == len(self.text)

    async def _finish(self, http: httpx.AsyncClient) -> None:
        digest = hashlib.sha256(self.text).hexdigest()
        headers = {"Content-Type": "application/json"}
        body = {"received": len(self.text), "sha256": digest}
        answer = await self._ask(http, "finish", json=body, headers=headers)
        assert answer["completeness"] == "verified"

    async def _ask(self, http: httpx.AsyncClient, what: str, **request: object) -> dict[str, object]:
        """Ask until somebody answers; only what a process that goes away may say is borne."""
        while True:
            address = f"{self._servers[self._at].url}/api/v1/logs/{self._log_id}/{what}"
            try:
                answer = await http.post(address, **request)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                self.refusals.append(type(error).__name__)
            else:
                if answer.status_code == 200:
                    return dict(answer.json())
                assert (answer.status_code, answer.json()["type"]) == (503, "going-away"), answer.text
                self.refusals.append("503")
            self._at = 1 - self._at
            await asyncio.sleep(self._choose.random() * RETRY_SECONDS)


class PatientViewer:
    """A viewer as the page is one: a lost connection goes on at its own offset, at whichever process answers."""

    def __init__(self, servers: list[Server], token: str, log_id: int, choose: random.Random) -> None:
        self._servers = servers
        self._token = token
        self._log_id = log_id
        self._choose = choose
        self._at = choose.randrange(2)
        self.text = b""
        self.codes: list[int | None] = []

    async def run(self) -> None:
        while 1000 not in self.codes:
            address = self._servers[self._at].websocket_url
            viewer = Viewer(address, self._log_id, start=str(len(self.text)), token=self._token)
            try:
                await viewer.watch()
            except (OSError, InvalidHandshake, EOFError):
                self.codes.append(None)
            else:
                assert not viewer.data or viewer.first_offset == len(self.text)
                self.text += bytes(viewer.data)
                self.codes.append(viewer.close_code)
            if self.codes[-1] != 1000:
                self._at = 1 - self._at
                await asyncio.sleep(self._choose.random() * RETRY_SECONDS)


@pytest.mark.parametrize("servers", ["daphne", "uvicorn"], indirect=True)
async def test_a_rolling_restart_loses_nothing(servers: list[Server]) -> None:
    choose = random.Random(19)
    token = servers[0].token()
    logs = [Writer(servers[0].url, token).new_log()["id"] for _ in range(LOGS)]
    writers = [PatientWriter(servers, token, log_id, choose) for log_id in logs]
    viewers = [PatientViewer(servers, token, log_id, choose) for log_id in logs for _ in range(VIEWERS_OF_A_LOG)]
    writing = [asyncio.ensure_future(writer.run()) for writer in writers]
    watching = [asyncio.ensure_future(viewer.run()) for viewer in viewers]
    try:
        for server in servers:
            await written_further(writers)
            await asyncio.to_thread(restart, server)
        await written_further(writers)
        for writer in writers:
            writer.ended.set()
        await asyncio.wait_for(asyncio.gather(*writing, *watching), 60)
    finally:
        for task in (*writing, *watching):
            task.cancel()
        await asyncio.gather(*writing, *watching, return_exceptions=True)
    for number, writer in enumerate(writers):
        seen = {viewer.text for viewer in viewers[number * VIEWERS_OF_A_LOG : (number + 1) * VIEWERS_OF_A_LOG]}
        assert seen == {writer.text}
    codes = [code for viewer in viewers for code in viewer.codes]
    refusals = [refusal for writer in writers for refusal in writer.refusals]
    written = sum(len(writer.text) for writer in writers)
    print(f"{written} bytes; closes {counted(codes)}; writers were refused {counted(refusals)}")
    assert codes.count(1001) >= len(viewers), "each viewer was at one of the two at least once"
    assert set(codes) <= {None, 1000, 1001}


def restart(server: Server) -> None:
    """SIGTERM, wait for the end, and start again at the same port."""
    assert server.process is not None
    began = time.monotonic()
    server.process.terminate()
    assert server.process.wait(STOP_SECONDS) == 0
    print(f"{server.kind} at {server.port} was gone after {time.monotonic() - began:.2f} s")
    server.start()


async def written_further(writers: list[PatientWriter]) -> None:
    """Wait until every writer has got rid of some more bodies."""
    marks = [len(writer.text) + 20 * LINES_A_BODY * 10 for writer in writers]
    deadline = time.monotonic() + 30
    while any(len(writer.text) < mark for writer, mark in zip(writers, marks, strict=True)):
        assert time.monotonic() < deadline, "the writers stand still"
        await asyncio.sleep(0.05)


def counted(values: list[object]) -> dict[object, int]:
    return {value: values.count(value) for value in dict.fromkeys(values)}
