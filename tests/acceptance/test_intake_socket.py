"""/ws/intake/: a writer's socket (websocket.md, "Writing"), over Daphne."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.intake import intake
from tests.acceptance.server import Server


@pytest.fixture
def log(writer: Writer) -> dict[str, Any]:
    return writer.new_log()


def text_of(writer: Writer, log: dict[str, Any]) -> bytes:
    return writer.http.get(f"/logs/{log['id']}/raw").content


async def test_a_frame_is_stored_and_acknowledged(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    async with intake(server.websocket_url, token) as socket:
        assert socket.connection.subprotocol == "buildlogs.v1"
        await socket.send(log["id"], 0, entry(0, b"hello\n"))
        assert await socket.next() == {"type": "received", "log": log["id"], "offset": 6, "flush_ms": 250}
        assert text_of(writer, log) == b"hello\n"
        await socket.send(log["id"], 6, entry(1, b"world\n"))
        await socket.received(log["id"], 12)
    assert text_of(writer, log) == b"hello\nworld\n"


async def test_after_a_gap_every_frame_in_flight_is_refused_and_the_socket_stays(
    server: Server, writer: Writer, token: str, log: dict[str, Any]
) -> None:
    async with intake(server.websocket_url, token) as socket:
        await socket.send(log["id"], 0, entry(0, b"12345"))
        for offset in (6, 7, 8):
            await socket.send(log["id"], offset, entry(0, b"x"))
        errors = [await socket.error() for _ in range(3)]
        assert [(error["problem"], error["offset"], error["at"]) for error in errors] == [
            ("offset-gap", 5, 6),
            ("offset-gap", 5, 7),
            ("offset-gap", 5, 8),
        ]
        await socket.send(log["id"], 5, entry(0, b"6789"))
        await socket.received(log["id"], 9)
    assert text_of(writer, log) == b"123456789"
