"""A viewer of a build or a project as a stranger would write it from websocket.md: it checks versions as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PATIENCE_SECONDS = 20


class NounViewer:
    """One socket. `versions` are those it was brought to, `progress` what it was told of open logs, by id."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.versions: list[int] = []
        self.progress: dict[int, tuple[int, int]] = {}
        self.snapshots = 0

    async def next(self) -> dict[str, Any]:
        """The next message; one that does not follow the last one fails the test."""
        message = dict(json.loads(await asyncio.wait_for(self.connection.recv(), PATIENCE_SECONDS)))
        if message["type"] == "progress":
            self.progress |= {log["id"]: (log["size"], log["lines"]) for log in message["logs"]}
            return message
        assert message["type"] != "error", message
        version = message["version"]
        if message["type"] == "snapshot":
            self.snapshots += 1
            assert not self.versions or version >= self.versions[-1]
        else:
            assert version == self.versions[-1] + 1, (message, self.versions)
        self.versions.append(version)
        return message

    async def event(self) -> dict[str, Any]:
        """The next message but `progress`, which comes between others at its own times."""
        while (message := await self.next())["type"] == "progress":
            pass
        return message

    async def until(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message that fits."""
        while not fits(message := await self.next()):
            pass
        return message

    async def ask(self, message: Any) -> None:
        await self.connection.send(json.dumps(message))


@asynccontextmanager
async def watching(url: str, path: str, token: str | None) -> AsyncIterator[NounViewer]:
    """A viewer's socket at `path` of the server at `url` (ws://…)."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with connect(url + path, additional_headers=headers, max_size=None) as connection:
        yield NounViewer(connection)
