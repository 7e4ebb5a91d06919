"""A writer's socket while the disk is full, the database away; and with a viewer in another process."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.intake import PATIENCE_SECONDS, IntakeSocket, intake
from tests.acceptance.server import Server, running_server

MIB = 1024 * 1024
DATA = (b"x" * 99 + b"\n") * 10_000
ROOM_BYTES = 12 * MIB  # what the database's own files need is less


@pytest.fixture(scope="module")
def troubled_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose troubles are over after each test."""
    with running_server(tmp_path_factory.mktemp("troubled")) as server:
        yield server


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of the server may grow beyond ROOM_BYTES: what a full disk says, without a disk for it."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (ROOM_BYTES, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def database_away(server: Server) -> Iterator[None]:
    """The logs' table cannot be found."""
    with closing(sqlite3.connect(server.data_dir / "buildlogs.sqlite3", timeout=30)) as database:
        database.execute("ALTER TABLE logviewer_logfile RENAME TO away")
        database.commit()
        try:
            yield
        finally:
            database.execute("ALTER TABLE away RENAME TO logviewer_logfile")
            database.commit()


@pytest.mark.bad_input("a disk that is full in the middle of a stream")
async def test_on_a_full_disk_nothing_of_a_frame_is_stored_and_the_writer_goes_on_later(
    troubled_server: Server,
) -> None:
    token = troubled_server.token()
    writer = Writer(troubled_server.url, token)
    log, small = writer.new_log(), writer.new_log()
    stored = 0
    async with intake(troubled_server.websocket_url, token) as socket:
        with full_disk(troubled_server):
            while True:
                await socket.send(log["id"], stored, entry(0, DATA))
                answer = await socket.next()
                if answer["type"] == "error":
                    break
                stored = answer["offset"]
            assert (answer["problem"], answer["status"], answer["at"]) == ("storage-full", 507, stored)
            assert answer["retry_after"] > 0
            assert str(troubled_server.data_dir) not in answer["detail"]
            assert ROOM_BYTES - 2 * len(DATA) < stored <= ROOM_BYTES
            await socket.send(small["id"], 0, entry(0, b"there is room for this\n"))
            await socket.received(small["id"], 23)
        await socket.send(log["id"], stored, entry(0, DATA))
        await socket.received(log["id"], stored + len(DATA))
    text = writer.http.get(f"/logs/{log['id']}/raw").content
    assert text == DATA * (len(text) // len(DATA))
    assert len(text) == stored + len(DATA)


async def test_while_the_database_is_away_known_logs_are_written_and_others_later(troubled_server: Server) -> None:
    token = troubled_server.token()
    writer = Writer(troubled_server.url, token)
    known, unknown = writer.new_log(), writer.new_log()
    async with intake(troubled_server.websocket_url, token) as socket:
        await socket.send(known["id"], 0, entry(0, b"before\n"))
        await socket.received(known["id"], 7)
        with database_away(troubled_server):
            await socket.send(unknown["id"], 0, entry(0, b"x"))
            error = await socket.error()
            assert error["log"] == unknown["id"]
            assert error["status"] >= 500
            assert "away" not in error["detail"]
            await socket.send(known["id"], 7, entry(0, b"meanwhile\n"))
            await socket.received(known["id"], 17)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                await socket.send(unknown["id"], 0, entry(0, b"x"))
                if (await socket.next())["type"] == "received":
                    break
                await asyncio.sleep(0.2)
    assert writer.http.get(f"/logs/{known['id']}/raw").content == b"before\nmeanwhile\n"
    assert writer.http.get(f"/logs/{unknown['id']}/raw").content == b"x"


@pytest.mark.postgres
@pytest.mark.redis
async def test_a_writer_hears_of_viewers_on_another_process(data_dir: Path, postgres_url: str, redis_url: str) -> None:
    environment = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
    servers = [Server(data_dir, environment=environment) for _ in range(2)]
    servers[0].migrate()
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
            server.start()
        token = servers[0].token()
        log = Writer(servers[0].url, token).new_log()
        early = await Viewer(servers[1].websocket_url, log["id"], token=token).open()
        async with intake(servers[0].websocket_url, token) as socket:
            await flush_ms_becomes(socket, log["id"], 20)
            await early.stop()
            await flush_ms_becomes(socket, log["id"], 250)
            late = await Viewer(servers[1].websocket_url, log["id"], token=token).open()
            told = await socket.next()  # unasked, when it joined
            while told["flush_ms"] != 20:
                told = await socket.next()
            assert told["offset"] == 0
            await late.stop()


async def flush_ms_becomes(socket: IntakeSocket, log_id: int, flush_ms: int) -> None:
    """Ask until the server says so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await socket.send(log_id, 0)
            if (await socket.next())["flush_ms"] == flush_ms:
                return
            await asyncio.sleep(0.1)
