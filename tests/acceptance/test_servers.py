"""The same application under Django's runserver (Daphne inside) and uvicorn: the same promises hold."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from tests.acceptance.client import CHUNKS_TYPE, Viewer, Writer
from tests.acceptance.server import Server, running_server
from tests.acceptance.test_stalled import MAX_GROWTH_BYTES, MIB, handshake, stalled, write
from tests.acceptance.watched_log import write_while_watched

VIEWERS = 8
BODIES = 60
WRITTEN_BYTES = 60_000_000


@pytest.fixture(scope="module", params=["runserver", "uvicorn"])
def other_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp(request.param), kind=request.param) as server:
        yield server


def test_viewers_receive_what_was_written(other_server: Server) -> None:
    token = other_server.token()
    writer = Writer(other_server.url, token)
    log = writer.new_log()
    viewers = [
        Viewer(other_server.websocket_url, log["id"], token=token, window=(None, 0)[number % 2])
        for number in range(VIEWERS)
    ]
    write_while_watched(writer, log["id"], viewers, random.Random(5), bodies=BODIES, joining_seconds=1.0)


def test_a_body_over_the_limit_is_refused_without_being_read(other_server: Server) -> None:
    with socket.create_connection(("127.0.0.1", other_server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /api/v1/logs/1/chunks HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: " + CHUNKS_TYPE.encode() + b"\r\nContent-Length: 400000000\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_stalled_clients_cost_no_memory(other_server: Server) -> None:
    token = other_server.token()
    writer = Writer(other_server.url, token)
    warm_up, log = writer.new_log(), writer.new_log()
    write(writer, warm_up["id"], 20_000_000)
    download = f"/api/v1/logs/{log['id']}/raw?follow=1"
    connections = [
        stalled(other_server, handshake(other_server, f"/ws/logs/{log['id']}/?window=0", token)),
        stalled(other_server, f"GET {download} HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer {token}\n\n"),
    ]
    before = other_server.rss_bytes()
    write(writer, log["id"], WRITTEN_BYTES)
    growth = other_server.rss_bytes() - before
    for connection in connections:
        connection.close()
    print(f"{other_server.kind}: RSS grew by {growth / MIB:.1f} MiB")
    assert growth <= MAX_GROWTH_BYTES
