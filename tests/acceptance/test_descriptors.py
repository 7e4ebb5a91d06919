"""Descriptors: what a request or a viewer opens is closed when it has gone."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from pathlib import Path

import httpx

from tests.acceptance.client import Writer
from tests.acceptance.server import Server
from tests.acceptance.test_stalled import handshake

HASTY_VIEWERS = 300
REQUESTS_AT_ONCE = 20
WAIT_SECONDS = 10


def open_files(server: Server, ending: str) -> int:
    """How many descriptors of the server are open on files whose names end so."""
    found = 0
    for descriptor in Path(f"/proc/{server.pid}/fd").iterdir():
        try:
            found += descriptor.readlink().name.endswith(ending)
        except FileNotFoundError:  # closed just now
            continue
    return found


def test_viewers_that_leave_while_they_join_leave_no_file_open(own_server: Server) -> None:
    token = own_server.token("--scopes", "read,write")
    log = Writer(own_server.url, token).new_log()
    request = handshake(own_server, f"/ws/logs/{log['id']}/", token).replace("\n", "\r\n").encode()
    before = open_files(own_server, ".idx")
    moments = random.Random(3)
    for _ in range(HASTY_VIEWERS):
        with socket.create_connection(("127.0.0.1", own_server.port)) as connection:
            connection.sendall(request)
            connection.settimeout(moments.random() * 0.012 + 0.0001)
            try:
                while connection.recv(4096):
                    pass
            except TimeoutError:
                pass
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
    assert wait_until_few(own_server, ".idx", before)


def wait_until_few(server: Server, ending: str, most: int) -> bool:
    """Whether no more than `most` such files are open, as soon as the server has ended what it is about."""

    async def wait() -> bool:
        async with asyncio.timeout(WAIT_SECONDS):
            while open_files(server, ending) > most:
                await asyncio.sleep(0.05)
        return True

    try:
        return asyncio.run(wait())
    except TimeoutError:
        return False


def test_a_requests_database_connection_ends_with_the_request(own_server: Server) -> None:
    async def ask() -> None:
        async with httpx.AsyncClient(base_url=own_server.url, timeout=60) as client:
            answers = await asyncio.gather(*[client.get("/api/v1/projects") for _ in range(REQUESTS_AT_ONCE)])
            assert {answer.status_code for answer in answers} == {200}

    before = open_files(own_server, "buildlogs.sqlite3")
    for _ in range(5):
        asyncio.run(ask())
    assert wait_until_few(own_server, "buildlogs.sqlite3", before + 1)
