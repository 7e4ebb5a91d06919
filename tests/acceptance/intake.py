"""A writer's socket as a stranger would write it from websocket.md, "Writing"."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PATIENCE_SECONDS = 20


def frame(log_id: Any, offset: Any, stream: bytes = b"", **more: Any) -> bytes:
    """One frame: header length, header, chunk stream."""
    header = json.dumps({"log": log_id, "offset": offset, **more}).encode()
    return struct.pack(">I", len(header)) + header + stream


class IntakeSocket:
    """A socket that keeps what the server said."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[dict[str, Any]] = []

    async def send(self, log_id: Any, offset: Any, stream: bytes = b"", **more: Any) -> None:
        await self.connection.send(frame(log_id, offset, stream, **more))

    async def next(self) -> dict[str, Any]:
        """The next message."""
        message = dict(json.loads(await asyncio.wait_for(self.connection.recv(), PATIENCE_SECONDS)))
        self.messages.append(message)
        return message

    async def received(self, log_id: int, offset: int) -> dict[str, Any]:
        """Wait until the server says that so much of the log is received; an error fails the test."""
        while True:
            message = await self.next()
            assert message["type"] == "received", message
            if (message["log"], message["offset"]) == (log_id, offset):
                return message

    async def error(self) -> dict[str, Any]:
        """The next error."""
        while (message := await self.next())["type"] != "error":
            pass
        return message

    async def closed(self) -> int | None:
        """Wait for the end; returns the close code."""
        await asyncio.wait_for(self.connection.wait_closed(), PATIENCE_SECONDS)
        return self.connection.close_code


@asynccontextmanager
async def intake(url: str, token: str | None, **options: Any) -> AsyncIterator[IntakeSocket]:
    """A writer's socket on the server at `url` (ws://…)."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    options = {"subprotocols": ["buildlogs.v1"], "compression": None, "max_queue": None, **options}
    async with connect(f"{url}/ws/intake/", additional_headers=headers, **options) as connection:
        yield IntakeSocket(connection)
