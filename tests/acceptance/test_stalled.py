"""Clients that do not read, or read slowly: they cost next to nothing and lose nothing."""

from __future__ import annotations

import asyncio
import socket

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import Server

MIB = 1024 * 1024
WRITTEN_BYTES = 100_000_000
MAX_GROWTH_BYTES = 16 * MIB
"""Far below what is written: the heaps of a server's threads and of what recognises errors take some MiB of it."""
SMALL_RECEIVE_BUFFER_BYTES = 64 * 1024
BODY = entry(0, (b"x" * 99 + b"\n") * 10_000)
SLOW_BYTES_PER_SECOND = 100_000


def stalled(server: Server, request: str) -> socket.socket:
    """A connection that sends a request and never reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_RECEIVE_BUFFER_BYTES)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(request.replace("\n", "\r\n").encode())
    return connection


def handshake(server: Server, path: str, token: str) -> str:
    return (
        f"GET {path} HTTP/1.1\nHost: 127.0.0.1:{server.port}\nUpgrade: websocket\nConnection: Upgrade\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n"
        f"Authorization: Bearer {token}\n\n"
    )


def write(writer: Writer, log_id: int, total: int) -> None:
    offset = 0
    while offset < total:
        answer = writer.chunks(log_id, BODY, offset)
        assert answer.status_code == 200, answer.text
        offset = answer.json()["received"]


def test_a_stalled_viewer_and_a_stalled_download_cost_no_memory(own_server: Server) -> None:
    token = own_server.token()
    writer = Writer(own_server.url, token)
    warm_up, log = writer.new_log(), writer.new_log()
    write(writer, warm_up["id"], 20_000_000)
    requests = [
        handshake(own_server, f"/ws/logs/{log['id']}/", token),
        f"GET /api/v1/logs/{log['id']}/raw?follow=1 HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer {token}\n\n",
    ]
    connections = [stalled(own_server, request) for request in requests]
    before = own_server.rss_bytes()
    write(writer, log["id"], WRITTEN_BYTES)
    growth = own_server.rss_bytes() - before
    print(f"RSS grew by {growth / MIB:.1f} MiB while {WRITTEN_BYTES / 1e6:.0f} MB were written")
    for connection in connections:
        connection.close()
    assert growth <= MAX_GROWTH_BYTES
    assert writer.finish(log["id"]).status_code == 200


async def test_a_slow_viewer_of_a_log_that_finishes_gets_its_last_byte_before_1000(
    server: Server, writer: Writer, token: str
) -> None:
    log = writer.new_log()
    size = 600_000
    for start in range(0, size, 200_000):
        writer.chunks(log["id"], entry(0, b"y" * 200_000), start)
    for window in (None, 0):
        viewer = Viewer(server.websocket_url, log["id"], token=token, window=window)
        await viewer.open()
        reading = asyncio.ensure_future(viewer.drain(bytes_per_second=SLOW_BYTES_PER_SECOND))
        if window is None:
            await asyncio.to_thread(writer.finish, log["id"], received=size)
        await reading
        assert len(viewer.data) == size
        assert viewer.messages[-1]["type"] == "logFinished"
        assert viewer.close_code == 1000
