"""What the sockets have in common that watch a build or a project: a snapshot, then what changes (websocket.md)."""

from __future__ import annotations

import asyncio
from typing import Any

from logviewer.doors.feed import SNAPSHOT_INTERVAL_SECONDS, Deleted, Feed, Message, Seat
from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope
from logviewer.doors.socket import BAD_REQUEST, DELETED, Refused, Socket


class Watching(Socket):
    """A viewer. Each message but `progress` carries a version: an event the next one, a snapshot any later one."""

    subprotocol = "buildlogs.v1"
    feed: type[Feed]
    number: int

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._seat = Seat()
        self._version = 0
        self._snapshot_at = 0.0

    async def work(self) -> None:
        """Join, say how things are, then what changes."""
        feed = self.feed.join(self.number, self._seat)
        try:
            while True:
                message = await self._seat.next()
                await (self._say_snapshot(feed) if message is None else self._say_if_next(message))
        except Deleted:
            raise Refused(DELETED, "what was watched does not exist any more") from None
        finally:
            feed.leave(self._seat)

    def take(self, message: dict[str, Any]) -> None:
        """The one thing a viewer may ask for."""
        if message != {"type": "snapshot"}:
            raise Refused(BAD_REQUEST, 'a viewer says {"type":"snapshot"} and nothing else')
        self._seat.want_snapshot()

    async def _say_snapshot(self, feed: Feed) -> None:
        """Say all there is, at most once a second."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._snapshot_at + SNAPSHOT_INTERVAL_SECONDS - loop.time())
        self._snapshot_at = loop.time()
        self._seat.snapshot_wanted = False
        await self._say_message(await feed.snapshot())

    async def _say_if_next(self, message: Message) -> None:
        """Say what fits; what is known already is not said again, and a gap is filled by a snapshot."""
        version = message.version
        if version is None or version == self._version + 1 or (message.is_snapshot and version > self._version):
            await self._say_message(message)
        elif version > self._version:
            self._seat.want_snapshot()

    async def _say_message(self, message: Message) -> None:
        if message.version is not None:
            self._version = message.version
        await self._send({"type": "websocket.send", "text": message.text})
