"""Viewers that pause, or let their credit run out, while they follow: they catch up, and hold up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import Server, running_server

WAIT_SECONDS = 30
WINDOW_BYTES = 65_536
PIECE = b"".join(b"%-99d\n" % number for number in range(1000))
PIECES = 20


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def either_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp(request.param), kind=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def either_token(either_server: Server) -> str:
    return either_server.token()


async def live(viewer: Viewer) -> Viewer:
    await viewer.open()
    while (message := await viewer.step()) is None or message["type"] != "live":
        pass
    return viewer


async def sealed(writer: Writer, log_id: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (await asyncio.to_thread(writer.http.get, f"/logs/{log_id}")).json()["sealed"]:
        assert time.monotonic() < deadline, "it was not sealed"
        await asyncio.sleep(0.1)


async def test_a_viewer_that_pauses_in_the_live_phase_catches_up_after_the_log_was_sealed(
    either_server: Server, either_token: str
) -> None:
    writer = Writer(either_server.url, either_token)
    log = writer.new_log()
    viewer = await live(Viewer(either_server.websocket_url, log["id"], token=either_token))
    assert viewer.socket is not None
    await viewer.socket.send('{"type":"pause"}')
    written = b""
    async with asyncio.timeout(WAIT_SECONDS):
        while viewer.messages[-1]["type"] != "size":  # the pause has been heard, and the log grew since
            await asyncio.to_thread(writer.chunks, log["id"], entry(0, b"heard?\n"), len(written))
            written += b"heard?\n"
            await viewer.step()
    seen = len(viewer.data)
    for _ in range(PIECES):
        await asyncio.to_thread(writer.chunks, log["id"], entry(0, PIECE), len(written))
        written += PIECE
    assert (await asyncio.to_thread(writer.finish, log["id"])).status_code == 200
    await sealed(writer, log["id"])
    async with asyncio.timeout(WAIT_SECONDS):
        while viewer.messages[-1].get("size") != len(written):
            await viewer.step()
    assert len(viewer.data) == seen
    await viewer.socket.send('{"type":"resume"}')
    async with asyncio.timeout(WAIT_SECONDS):
        await viewer.drain()
    assert bytes(viewer.data) == written
    assert viewer.close_code == 1000


async def test_a_viewer_that_acknowledges_nothing_gets_its_window_and_others_get_all(
    either_server: Server, either_token: str
) -> None:
    writer = Writer(either_server.url, either_token)
    log = writer.new_log()
    mute = await live(Viewer(either_server.websocket_url, log["id"], token=either_token, window=WINDOW_BYTES))
    others = [
        await live(Viewer(either_server.websocket_url, log["id"], token=either_token, window=window))
        for window in (None, WINDOW_BYTES, 0)
    ]
    watching = [asyncio.ensure_future(other.drain()) for other in others]
    for number in range(PIECES):
        await asyncio.to_thread(writer.chunks, log["id"], entry(0, PIECE), number * len(PIECE))
    await asyncio.to_thread(writer.finish, log["id"])
    async with asyncio.timeout(WAIT_SECONDS):
        await asyncio.gather(*watching)
        while mute.messages[-1].get("size") != PIECES * len(PIECE):
            await mute.step()
    for other in others:
        assert bytes(other.data) == PIECE * PIECES
        assert other.close_code == 1000
    assert bytes(mute.data) == (PIECE * PIECES)[:WINDOW_BYTES]
    await mute.stop()
