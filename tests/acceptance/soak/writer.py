"""A writer that sends logs through any process: bodies over HTTP, frames over a socket, some twice, some by half."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tests.acceptance.client import CHUNKS_TYPE
from tests.acceptance.intake import IntakeSocket, intake
from tests.acceptance.soak.trace import Trace
from tests.acceptance.soak.written import WrittenLog

REQUEST_SECONDS = 10.0
COME_AGAIN_SECONDS = 0.5
MAX_BODY_BYTES = 1_000_000
MAX_FRAME_BYTES = 200_000
MAX_UNACKNOWLEDGED_BYTES = 2_000_000
TRY_AGAIN_STATUS = (429, 502, 503)


class Writer:
    """Writes one log after the other; what it may not assume, it does not: all of its requests may be repeated."""

    def __init__(self, name: str, url: Callable[[], str], token: str, trace: Trace) -> None:
        self.name = name
        self._url = url
        self._token = token
        self._trace = trace
        self._dice = trace.dice(name)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(headers=self._headers, timeout=REQUEST_SECONDS)

    async def close(self) -> None:
        await self._http.aclose()

    async def new_log(self, number: int) -> WrittenLog:
        """A new log in a build of its own."""
        build = {"project": "soak", "builder": self.name.replace(" ", "-"), "external_id": f"{number}"}
        build_id = (await self._post("/builds", build))["id"]
        step_id = (await self._post(f"/builds/{build_id}/steps", {"name": "compile", "number": 1}))["id"]
        log = WrittenLog((await self._post(f"/steps/{step_id}/logs", {"name": "stdio"}))["id"])
        self._note("begins", f"log {log.id}")
        return log

    async def write(self, log: WrittenLog, bodies: int, hurries: Callable[[], bool]) -> None:
        """Write the log in about so many bodies or frames, or fewer when it `hurries`, then finish it."""
        while bodies > 0 and not hurries():
            turns = self._dice.randrange(1, 40)
            bodies -= turns
            if self._dice.random() < 0.5:
                await self._write_bodies(log, turns)
            else:
                await self._write_frames(log, turns)
        while log.acknowledged < len(log.produced):
            await self._send_body(log)
        finish = {"received": len(log.produced), "sha256": log.sha256}
        answer = await self._post(f"/logs/{log.id}/finish", finish)
        assert answer["completeness"] == "verified", f"{self.name}: log {log.id}: {answer}"
        self._note("finished", f"log {log.id} of {len(log.produced)} bytes")
        log.finished.set()

    # Bodies over HTTP.

    async def _write_bodies(self, log: WrittenLog, bodies: int) -> None:
        for _ in range(bodies):
            log.produce(self._dice)
            if self._dice.random() < 0.05:
                await self._send_half_a_body(log)
            if self._dice.random() < 0.8:
                await self._send_body(log)
            await asyncio.sleep(self._dice.random() * 0.1)

    async def _send_body(self, log: WrittenLog) -> None:
        """Send what is not acknowledged, or some of it, with some of what is."""
        start, stop = self._next_range(log)
        log.sent = max(log.sent, stop)
        headers = {"Content-Type": CHUNKS_TYPE, "Upload-Offset": str(start)}
        answer = await self._request(f"/logs/{log.id}/chunks", content=log.stream(start, stop), headers=headers)
        if answer is not None:
            log.acknowledge(answer["received"])
            assert stop <= log.acknowledged, f"{self.name}: log {log.id}: {answer} for bytes up to {stop}"
            self._note("stored", f"log {log.id}: {start} to {stop} over HTTP")

    def _next_range(self, log: WrittenLog) -> tuple[int, int]:
        """What to send: from what is acknowledged on, or from some way before it."""
        start = log.acknowledged
        if self._dice.random() < 0.2:
            start -= self._dice.randint(0, min(start, 100_000))
        stop = min(len(log.produced), start + MAX_BODY_BYTES)
        if self._dice.random() < 0.3:
            stop = self._dice.randint(start, stop)
        return start, stop

    async def _send_half_a_body(self, log: WrittenLog) -> None:
        """Begin a request and break off before its end: nothing of it may be stored, so it does not count as sent."""
        start, stop = self._next_range(log)
        body = log.stream(start, stop)
        url = urlsplit(self._url())
        head = (
            f"POST /api/v1/logs/{log.id}/chunks HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: {CHUNKS_TYPE}\r\nContent-Length: {len(body) + 1}\r\nUpload-Offset: {start}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                _reader, stream = await asyncio.open_connection(url.hostname, url.port)
                stream.write(head.encode() + body)
                await stream.drain()
                await asyncio.sleep(self._dice.random() * 0.2)
                stream.transport.abort()
            self._note("broke off", f"log {log.id} at {start}")
        except (OSError, TimeoutError) as error:
            self._note("was not heard", type(error).__name__)

    # Frames over a socket.

    async def _write_frames(self, log: WrittenLog, frames: int) -> None:
        """Write over one socket as long as it lasts."""
        url = self._url().replace("http", "ws", 1)
        options = {"open_timeout": REQUEST_SECONDS, "close_timeout": 1}
        try:
            async with intake(url, self._token, **options) as socket:
                self._note("opens a socket", f"log {log.id} at {log.acknowledged}")
                async with asyncio.TaskGroup() as tasks:
                    listening = tasks.create_task(self._listen(log, socket))
                    await self._send_frames(log, socket, frames)
                    listening.cancel()
                if self._dice.random() < 0.3:
                    self._note("vanishes")
                    socket.connection.transport.abort()
        except* ConnectionClosed as group:
            self._check_closes(group)
        except* InvalidStatus as group:
            statuses = [each.response.status_code for each in group.exceptions if isinstance(each, InvalidStatus)]
            assert set(statuses) <= set(TRY_AGAIN_STATUS), f"{self.name}: a socket was refused with {statuses}"
            self._note("was refused", statuses)
        except* (OSError, TimeoutError, InvalidHandshake, EOFError, _TryAgain) as group:
            self._note("lost the socket", ", ".join(f"{type(each).__name__} {each}" for each in group.exceptions))

    async def _send_frames(self, log: WrittenLog, socket: IntakeSocket, frames: int) -> None:
        position = log.acknowledged
        if self._dice.random() < 0.3:
            position -= self._dice.randint(0, min(position, 50_000))
        for _ in range(frames):
            log.produce(self._dice)
            while position < len(log.produced):
                stop = min(len(log.produced), position + self._dice.randint(1, MAX_FRAME_BYTES))
                log.sent = max(log.sent, stop)
                await socket.send(log.id, position, log.stream(position, stop))
                position = stop
                await self._wait_for(log, position - MAX_UNACKNOWLEDGED_BYTES)
            await asyncio.sleep(self._dice.random() * 0.1)
        if self._dice.random() < 0.8:
            await self._wait_for(log, position)
            self._note("stored", f"log {log.id}: up to {position} over a socket")

    async def _wait_for(self, log: WrittenLog, received: int) -> None:
        """Wait until so much is acknowledged, but not for ever: a server that hangs is left."""
        async with asyncio.timeout(REQUEST_SECONDS):
            while log.acknowledged < received:
                await asyncio.sleep(0.01)

    async def _listen(self, log: WrittenLog, socket: IntakeSocket) -> None:
        async for text in socket.connection:
            message = dict(json.loads(text))
            if message["type"] == "received":
                log.acknowledge(message["offset"])
                continue
            again = message.get("problem") == "locked" or message.get("status") in (*TRY_AGAIN_STATUS, 1001, 1012, 1013)
            assert again, f"{self.name}: log {log.id}: {message}"
            raise _TryAgain(message)

    def _check_closes(self, group: BaseExceptionGroup[ConnectionClosed]) -> None:
        for each in group.exceptions:
            if isinstance(each, BaseExceptionGroup):
                self._check_closes(each)
                continue
            code = each.rcvd.code if each.rcvd else None
            assert code in (None, 1001, 1006, 1012, 1013), f"{self.name}: a socket was closed with {code}"
            self._note("was closed", code)

    # Requests.

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask until there is an answer."""
        while True:
            answer = await self._request(path, json=body)
            if answer is not None:
                return answer

    async def _request(self, path: str, **what: Any) -> dict[str, Any] | None:
        """One request to whichever process; None where it may be repeated, after a pause."""
        try:
            answer = await self._http.post(f"{self._url()}/api/v1{path}", **what)
        except httpx.TransportError as error:
            self._note("was not heard", f"{path} {type(error).__name__}")
        else:
            if answer.status_code in (200, 201):
                return dict(answer.json())
            is_locked = (
                answer.headers["Content-Type"] == "application/problem+json" and answer.json()["type"] == "locked"
            )
            assert is_locked or answer.status_code in TRY_AGAIN_STATUS, (
                f"{self.name}: {path}: {answer.status_code} {answer.text}"
            )
            self._note("was put off", f"{path} {answer.status_code}")
        await asyncio.sleep(self._dice.random() * COME_AGAIN_SECONDS)
        return None

    def _note(self, kind: str, detail: object = "") -> None:
        self._trace.note(self.name, kind, detail)


class _TryAgain(Exception):
    """The server refused a frame for now."""
