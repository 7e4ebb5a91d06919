"""A log's text as it comes, until its finish: `curl -N` is `tail -f`."""

from __future__ import annotations

from logviewer.chunkstore import Frame, LogEnd
from logviewer.doors.http import Exchange, while_connected
from logviewer.doors.parameters import Channels
from logviewer.doors.pieces import select_channels
from logviewer.doors.shutdown import shutdown
from logviewer.live import ConsumerMixin, LogFileProducer
from logviewer.live.watch import MAX_FRAME_BYTES
from logviewer.models import LogFile


async def follow(exchange: Exchange, log: LogFile, channels: Channels) -> None:
    """Send what there is and what comes; a HEAD gets nothing of it. The response has been started."""
    if exchange.scope["method"] == "HEAD":
        await exchange.end()
        return
    producer = LogFileProducer(log.pk, log.key, FollowConsumer(exchange, channels), redactions=log.redactions)
    going_away = shutdown.going_away()
    going_away.add_done_callback(lambda _: producer.stop_producing())  # the response is broken off: it is not the end
    try:
        await while_connected(exchange, producer.run())
    finally:
        going_away.cancel()


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
