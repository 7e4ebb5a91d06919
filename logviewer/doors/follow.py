"""A log's text as it comes, until its finish: `curl -N` is `tail -f`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable

from logviewer.chunkstore import Frame, LogEnd
from logviewer.doors.http import Exchange, while_connected
from logviewer.doors.identity import Scope, readable_log, renew_user
from logviewer.doors.parameters import Channels
from logviewer.doors.pieces import select_channels
from logviewer.doors.shutdown import shutdown
from logviewer.doors.socket import RIGHTS_INTERVAL_SECONDS
from logviewer.live import ConsumerMixin, LogFileProducer
from logviewer.live.database import AWAY_ERRORS
from logviewer.live.watch import MAX_FRAME_BYTES
from logviewer.models import LogFile
from logviewer.resources.errors import AccessError


async def follow(exchange: Exchange, log: LogFile, channels: Channels) -> None:
    """Send what there is and what comes; a HEAD gets nothing of it. The response has been started."""
    if exchange.scope["method"] == "HEAD":
        await exchange.end()
        return
    producer = LogFileProducer(log.pk, log.key, FollowConsumer(exchange, channels), redactions=log.redactions)
    going_away = shutdown.going_away()
    going_away.add_done_callback(lambda _: producer.stop_producing())  # the response is broken off: it is not the end
    try:
        await while_connected(exchange, _while_allowed(exchange.scope, log.pk, producer.run()))
    finally:
        going_away.cancel()


async def _while_allowed(scope: Scope, log_id: int, work: Awaitable[None]) -> None:
    """Do `work`; break the response off when its reader may not read the log any more, as with a socket."""
    task, lost = asyncio.ensure_future(work), asyncio.ensure_future(_rights_lost(scope, log_id))
    try:
        await asyncio.wait({task, lost}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            lost.result()
            raise ConnectionAbortedError("the right to read this log was taken away")
        task.result()
    finally:
        for future in (task, lost):
            future.cancel()
        await asyncio.gather(task, lost, return_exceptions=True)


async def _rights_lost(scope: Scope, log_id: int) -> None:
    """Return when the caller may not read the log any more; looked at as often as a socket's rights."""
    while True:
        await asyncio.sleep(RIGHTS_INTERVAL_SECONDS * random.uniform(0.75, 1))  # noqa: S311 - jitter
        try:
            await renew_user(scope)
            await readable_log(scope, log_id)
        except AccessError:
            return
        except AWAY_ERRORS:
            continue


class FollowConsumer(ConsumerMixin):
    """Writes a log's text into an HTTP response; the transport's own back-pressure is its window."""

    def __init__(self, exchange: Exchange, channels: Channels) -> None:
        self._exchange = exchange
        self._channels = channels

    def room(self) -> int:
        """No credit to count: `write` waits while the client is slower."""
        return MAX_FRAME_BYTES

    async def write_chunk(self, frame: Frame) -> None:
        """Send the frame's bytes."""
        piece = select_channels(frame, self._channels)
        if piece:
            await self._exchange.write(piece)

    async def caught_up(self, end: LogEnd) -> None:
        """Nothing to say: a plain response has no word for it. The headers go out even if the log is empty."""
        await self._exchange.write(b"")

    async def grew(self, end: LogEnd) -> None:
        """Nothing to say; see `caught_up`."""

    async def finish(self, end: LogEnd) -> None:
        """End the response."""
        await self._exchange.end()

    async def reload(self, reason: str) -> None:
        """Break the response off: what was sent is void, and a clean end would claim otherwise."""
        raise ConnectionAbortedError(reason)
