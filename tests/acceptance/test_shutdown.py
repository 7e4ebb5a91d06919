"""SIGTERM: everybody is told, what was taken is acknowledged and written, and the process is gone within 5 s."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import sqlite3
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests import independent_reader
from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.test_stalled import handshake, stalled

END_SECONDS = 5.0
SLACK_SECONDS = 5.0  # of a machine at load 8
WINDOW_BYTES = 4 * 1024 * 1024  # what a socket may have unacknowledged
LARGE = 8_000_000  # more than the sockets of a stalled client take
BODY = b"x" * 99 + b"\n"
UPLOADED = BODY * 5_000
UPLOADED_BODY = entry(0, UPLOADED)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data directory as `migrate` leaves it, to be copied, and a token for it."""
    server = Server(tmp_path_factory.mktemp("prepared"))
    server.migrate()
    return server.data_dir, server.token()


@pytest.fixture
def ending(request: pytest.FixtureRequest, prepared: tuple[Path, str], data_dir: Path) -> Iterator[Server]:
    """A server of the wanted kind that the test ends."""
    shutil.copytree(prepared[0], data_dir, dirs_exist_ok=True)
    server = Server(data_dir, kind=request.param).start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def token(prepared: tuple[Path, str]) -> str:
    return prepared[1]


def send_signal(server: Server) -> float:
    """SIGTERM; returns when it was sent."""
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    return time.monotonic()


def wait_for_end(server: Server, signalled_at: float) -> float:
    """Wait until the process is gone; it must end with 0, in its time. Returns how long it took."""
    assert server.process is not None
    code = server.process.wait(END_SECONDS + SLACK_SECONDS)
    seconds = time.monotonic() - signalled_at
    print(f"{server.kind} ended {seconds:.2f} s after the signal")
    said = server.log_path.read_text()
    assert "Traceback" not in said, said[said.index("Traceback") - 500 :]
    assert code == 0, said[-2000:]
    return seconds


def write(writer: Writer, log_id: int, total: int) -> None:
    for offset in range(0, total, 1_000_000):
        assert writer.chunks(log_id, entry(0, BODY * 10_000), offset).status_code == 200


async def closed_with(url: str, token: str) -> tuple[list[dict[str, object]], int | None]:
    """All JSON that a socket says until it is closed, and the code."""
    said = []
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(url, additional_headers=headers, subprotocols=["buildlogs.v1"]) as client:  # type: ignore[list-item]
        try:
            async for message in client:
                if isinstance(message, str):
                    said.append(json.loads(message))
        except ConnectionClosed:
            pass
        return said, client.close_code


@pytest.mark.parametrize("ending", ["daphne", "runserver", "uvicorn"], indirect=True)
async def test_everybody_is_told_and_all_that_was_acknowledged_is_written(ending: Server, token: str) -> None:
    writer = Writer(ending.url, token)
    log = writer.new_log()
    uploaded = writer.post(f"/steps/{log['step']}/logs", {"name": "uploaded"})
    writer.chunks(log["id"], entry(0, b"a line\n"), 0)
    viewers = [await Viewer(ending.websocket_url, log["id"], token=token).open() for _ in range(20)]
    for viewer in viewers:
        while (await viewer.step() or {}).get("type") != "live":
            pass
    build = asyncio.ensure_future(closed_with(f"{ending.websocket_url}/ws/builds/{log['build']}/", token))
    pieces: list[bytes] = []
    follower = asyncio.ensure_future(asyncio.to_thread(follow, ending, token, log["id"], pieces))
    uploader = Uploader(ending, token, uploaded["id"])
    uploading = asyncio.ensure_future(asyncio.to_thread(uploader.run))
    sent = writer.post(f"/steps/{log['step']}/logs", {"name": "sent"})
    sender = asyncio.ensure_future(send_frames(ending, token, sent["id"]))
    while not pieces or uploader.received < 5 * len(UPLOADED):
        await asyncio.sleep(0.02)
    draining = [asyncio.ensure_future(viewer.drain()) for viewer in viewers]

    signalled_at = send_signal(ending)
    await asyncio.gather(*draining)
    assert {viewer.close_code for viewer in viewers} == {1001}
    assert {(viewer.messages[-1]["type"], viewer.messages[-1]["status"]) for viewer in viewers} == {("error", 1001)}
    assert {bytes(viewer.data) for viewer in viewers} == {b"a line\n"}
    said, code = await build
    assert (said[0]["type"], said[-1]["type"], code) == ("snapshot", "error", 1001)
    assert await follower is False, "a follower was told that the log had ended"
    assert b"".join(pieces) == b"a line\n"
    await uploading
    acknowledged = await sender
    wait_for_end(ending, signalled_at)
    assert uploader.last in ("503 going-away", "ConnectError", "RemoteProtocolError", "ReadError", "WriteError")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", ending.port), timeout=5)

    assert stored_bytes(ending, uploaded["id"]) >= uploader.received
    assert stored_bytes(ending, sent["id"]) == acknowledged, "what a socket has sent is stored, and so acknowledged"
    with closing(sqlite3.connect(ending.data_dir / "buildlogs.sqlite3")) as database:
        (counted,) = database.execute("SELECT received FROM logviewer_logfile WHERE id = ?", [log["id"]]).fetchone()
    assert counted == len(b"a line\n")


def stored_bytes(server: Server, log_id: int) -> int:
    """How much of a log is on disk; all of it must be on stable storage."""
    index = next(server.data_dir.glob(f"logs/**/*-{log_id}.idx"))
    log = independent_reader.read(index.parent, index.stem)
    assert independent_reader.synced(index.parent, index.stem) == len(log.extents)
    return log.received


async def send_frames(server: Server, token: str, log_id: int) -> int:
    """Send frames over a socket until it is closed, which must be with 1001; returns what was acknowledged."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{server.websocket_url}/ws/intake/"
    received = 0
    async with connect(url, additional_headers=headers, subprotocols=["buildlogs.v1"]) as client:  # type: ignore[list-item]

        async def send() -> None:
            for offset in count(0, len(UPLOADED)):
                header = json.dumps({"log": log_id, "offset": offset}).encode()
                await client.send(struct.pack(">I", len(header)) + header + UPLOADED_BODY)
                while offset - received > WINDOW_BYTES - 2 * len(UPLOADED):
                    await asyncio.sleep(0.005)

        sending = asyncio.ensure_future(send())
        with contextlib.suppress(ConnectionClosed):
            async for message in client:
                said = json.loads(message)
                if said["type"] == "received":
                    received = said["offset"]
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert client.close_code == 1001
    assert received
    return received


class Uploader:
    """Sends body after body until it is refused or the server is gone."""

    def __init__(self, server: Server, token: str, log_id: int) -> None:
        self._writer = Writer(server.url, token)
        self._log_id = log_id
        self.received = 0
        self.last = ""

    def run(self) -> None:
        while True:
            try:
                answer = self._writer.chunks(self._log_id, UPLOADED_BODY, self.received)
            except httpx.TransportError as error:
                self.last = type(error).__name__
                return
            if answer.status_code != 200:
                self.last = f"{answer.status_code} {answer.json()['type']}"
                assert answer.headers["retry-after"] == "1"
                return
            self.received = answer.json()["received"]


def follow(server: Server, token: str, log_id: int, pieces: list[bytes]) -> bool:
    """Read the log as it comes; returns whether the response ended as a whole one does."""
    headers = {"Authorization": f"Bearer {token}"}
    address = f"{server.url}/api/v1/logs/{log_id}/raw?follow=1"
    with httpx.stream("GET", address, headers=headers, timeout=30) as response:
        try:
            for piece in response.iter_raw():
                pieces.append(piece)
        except httpx.RemoteProtocolError:
            return False
    return True


@pytest.mark.parametrize("ending", ["daphne", "uvicorn"], indirect=True)
def test_clients_that_read_nothing_do_not_hold_it_up(ending: Server, token: str) -> None:
    writer = Writer(ending.url, token)
    log = writer.new_log()
    write(writer, log["id"], LARGE)
    path = f"/api/v1/logs/{log['id']}/raw"
    request = f"Host: 127.0.0.1\nAuthorization: Bearer {token}\n"
    connections = [
        stalled(ending, handshake(ending, f"/ws/logs/{log['id']}/?window=0", token)),
        stalled(ending, f"GET {path}?follow=1 HTTP/1.1\n{request}\n"),
        stalled(ending, f"GET {path} HTTP/1.1\n{request}\n"),
        stalled(ending, f"POST /api/v1/logs/{log['id']}/chunks HTTP/1.1\n{request}Content-Length: 1000\n\nhalf a body"),
        stalled(ending, "GET / HTTP/1.1\nHost: 127."),
    ]
    time.sleep(0.5)
    signalled_at = send_signal(ending)
    seconds = wait_for_end(ending, signalled_at)
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.close()
    assert seconds < END_SECONDS + SLACK_SECONDS
