# ruff: noqa: N802, N803, N815 - autobahn's names
"""Daphne's WebSocket connection, guarded: bounded queues both ways, and a closing that lets a slow reader finish."""

import time
from collections import deque
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

from logviewer.doors.guard.transport import (
    Progress,
    StallWatch,
    WriteGate,
)

MAX_MESSAGE_BYTES = 1024 * 1024 + 64 * 1024
"""An intake frame is at most 1 MiB with its header (websocket.md); Daphne's own limit is 1 MiB without any room."""

QUEUE_HIGH_BYTES = 4 * 1024 * 1024
"""Reading the socket pauses when this much waits for the application (architecture.md)."""

QUEUE_LOW_BYTES = 2 * 1024 * 1024
"""Reading goes on when the application has taken messages down to this."""

MESSAGE_OVERHEAD_BYTES = 1024
"""What a queued message is charged beyond its payload, so that a million tiny ones are bounded too."""

EARLY_BYTES = 64 * 1024
"""What a client may send before the application has accepted it; reading pauses beyond."""

READ_BYTES = 64 * 1024
"""What Twisted reads at a time."""

BULK_READ_BYTES = 256 * 1024
"""The same within a frame that is longer than that, as those of a writer of much output: a read costs as much as
handling 20 KiB. Not elsewhere: autobahn copies what it has read of further frames with each frame it takes from it."""

CLOSE_PATIENCE_SECONDS = 30.0
"""How long a closing socket waits for a peer that neither takes bytes nor answers; autobahn gives it 1 s."""

PONG_PATIENCE_SECONDS = 120.0
"""How long a pong may be out after bytes last moved: 6 MB in a peer's receive buffer are 60 s at 100 KB/s."""

GOING_AWAY = 1001
"""Come again (websocket.md)."""

MAX_CLOSE_REASON_BYTES = 123
"""RFC 6455 section 5.5: a control frame has 125 bytes, two of them the code."""


class GuardedWebSocketProtocol(WebSocketProtocol):
    """One WebSocket connection; it registers a WriteGate with the transport that it takes over from HTTP.

    The options in lower camel case are autobahn's: one that a protocol class has is not copied from the factory.
    """

    maxMessagePayloadSize = MAX_MESSAGE_BYTES
    maxFramePayloadSize = MAX_MESSAGE_BYTES
    closeHandshakeTimeout = CLOSE_PATIENCE_SECONDS
    failByDrop = False  # an oversized or broken frame gets its close code (1009, 1002, 1007), not a RST

    closing = False  # the application has said websocket.close
    _awaits_acceptance = False
    _held = False
    _owed_pong: bytes | None = None
    _last_moved = 0.0
    _made = _heard = 0.0

    def connectionMade(self) -> None:
        """Take the producer's seat at the transport, which the HTTP channel still holds."""
        self._costs: deque[int] = deque()
        self._queued_bytes = 0
        self.gate = WriteGate(self.transport, self._pay_pong)
        self._ping_progress = Progress(self.transport)  # two, as a look at one forgets what moved before
        self._close_progress = Progress(self.transport)
        self._stall_watch = StallWatch(self.transport, CLOSE_PATIENCE_SECONDS)
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.gate, True)
        super().connectionMade()

    def onConnect(self, request: Any) -> Any:
        """Ask the application; until it has accepted, no more than EARLY_BYTES are read."""
        self._awaits_acceptance = True
        self._made = self._heard = time.monotonic()
        return super().onConnect(request)

    def onOpen(self) -> None:
        """The application has accepted."""
        self._awaits_acceptance = False
        self.transport.resumeProducing()
        super().onOpen()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the socket; before acceptance autobahn would parse the handshake again with each piece."""
        if not self._awaits_acceptance:
            super().dataReceived(data)
            frame = getattr(self, "current_frame", None)  # there is none before the handshake is over
            is_long = frame is not None and frame.length > BULK_READ_BYTES
            self.transport.bufferSize = BULK_READ_BYTES if is_long else READ_BYTES
            return
        self.data += data
        if len(self.data) > EARLY_BYTES:
            self.transport.pauseProducing()

    def processData(self) -> bool:
        """Parse one frame, unless the application has enough waiting; the rest of the read stays for later."""
        return not self._held and bool(super().processData())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Queue a message for the application and pause reading when it has QUEUE_HIGH_BYTES waiting.

        What arrives after a close frame was sent is dropped: nobody will ask for it, and the peer's close frame, which
        is behind it, must be reached.
        """
        if self.state != self.STATE_OPEN:
            return
        self._heard = time.monotonic()
        super().onMessage(payload, isBinary)
        cost = len(payload) + MESSAGE_OVERHEAD_BYTES
        self._costs.append(cost)
        self._queued_bytes += cost
        if self._queued_bytes >= QUEUE_HIGH_BYTES and not self._held:
            self._held = True
            self.transport.pauseProducing()

    def write_frame(self, *pieces: bytes | memoryview) -> bool:
        """Write a whole frame as it goes over the wire; False, and nothing is written, where `send` has to wait for it.

        It may come in pieces, so that nobody has to join them.

        Where nothing waits before it, it goes to the socket in this call: by way of Twisted's buffer it would cost two
        changes of what the loop polls for, and a turn of the loop, on each of a thousand connections.
        """
        if self.state != self.STATE_OPEN or self.closing or self.gate.paused or self.send_queue:
            return False
        if self._perMessageCompress is not None:
            return False
        self.gate.write(*pieces)
        return True

    def sendMessage(self, payload: bytes, *args: Any, **options: Any) -> None:
        """Send a message of any length, as the snapshot of a build of 2000 steps; autobahn's limit is for both ways.

        The application waits for the transport after each message, and answers for their lengths itself.
        """
        limit, self.maxMessagePayloadSize = self.maxMessagePayloadSize, 0
        try:
            super().sendMessage(payload, *args, **options)
        finally:
            self.maxMessagePayloadSize = limit

    def taken(self) -> None:
        """The application has received the oldest message."""
        self._queued_bytes -= self._costs.popleft()
        if self._held and self._queued_bytes < QUEUE_LOW_BYTES:
            self._read_on()

    def onPing(self, payload: bytes) -> None:
        """Answer a ping; while the write buffer is full only the last one is, later (RFC 6455 section 5.5.3)."""
        if self.gate.paused:
            self._owed_pong = payload
        else:
            super().onPing(payload)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Do what the application says; unlike Daphne, send a close frame's reason and any code RFC 6455 has."""
        if message.get("type") == "websocket.close" and self.state == self.STATE_OPEN:
            self.serverClose(message.get("code"), message.get("reason"))
        else:
            super().handle_reply(message)

    def serverClose(self, code: int | None = None, reason: str | None = None) -> None:
        """Send a close frame; autobahn's ``sendClose`` refuses 1001, 1011, 1012 and 1013.

        Raises:
            ValueError: the code must not be sent.
        """
        code = 1000 if code is None else code
        if code not in {1000, 1001, 1002, 1003, *range(1007, 1015)} and not 3000 <= code <= 4999:
            raise ValueError(f"close code {code} must not be sent (RFC 6455 section 7.4)")
        told = (reason or "").encode()[:MAX_CLOSE_REASON_BYTES].decode(errors="ignore").encode()
        self.sendCloseFrame(code=code, reasonUtf8=told, isReply=False)

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Send a close frame, and read on, whatever is queued, so that the peer's answer is seen."""
        self.closing = True
        self._close_progress.moved()
        super().sendCloseFrame(code=code, reasonUtf8=reasonUtf8, isReply=isReply)
        if self._held:
            self.factory.reactor.callLater(0, self._read_on)

    def onCloseHandshakeTimeout(self) -> None:
        """Wait on while the peer still takes bytes that were sent before the close frame."""
        if self._close_progress.moved():
            self.closeHandshakeTimeoutCall = self.factory._batched_timer.call_later(
                self.closeHandshakeTimeout, self.onCloseHandshakeTimeout
            )
        else:
            super().onCloseHandshakeTimeout()

    def check_timeouts(self) -> None:
        """Do what Daphne does every 2 s, by a clock that nobody sets.

        By the wall clock, as Daphne's own, a clock put back by an hour would keep pings from being sent for that hour,
        and one put forward by a day would close all sockets. After that day (``--websocket_timeout``) a socket is
        closed with 1001, come again; Daphne's 1000 tells a viewer that all was said.
        """
        now = time.monotonic()
        if self.state == self.STATE_CONNECTING:
            if now - self._made > self.server.websocket_connect_timeout:
                self.serverReject()
        elif self.state == self.STATE_OPEN and not self.closing:
            if 0 <= self.server.websocket_timeout < now - self._made:
                self.serverClose(GOING_AWAY)
            elif now - self._heard > self.server.ping_interval:
                self._sendAutoPing()
                self._heard = now

    def _sendAutoPing(self) -> None:
        """Send a ping unless one is out; Daphne sends every 20 s and would lose the first one's timeout."""
        if self.autoPingTimeoutCall is None:
            self._ping_progress.moved()
            self._last_moved = time.monotonic()
            super()._sendAutoPing()

    def onAutoPingTimeout(self) -> None:
        """Drop a peer whose pong is out, but not while bytes still move or this side has stopped reading."""
        if self._held or self._ping_progress.moved():
            self._last_moved = time.monotonic()
        if time.monotonic() - self._last_moved < PONG_PATIENCE_SECONDS:
            self.autoPingTimeoutCall = self.factory._batched_timer.call_later(
                self.autoPingTimeout, self.onAutoPingTimeout
            )
        else:
            super().onAutoPingTimeout()

    def dropConnection(self, abort: bool = False) -> None:
        """Drop the connection; an orderly end that its peer does not take is aborted after CLOSE_PATIENCE_SECONDS."""
        super().dropConnection(abort)
        self.gate.release()
        self._stall_watch.start()

    def connectionLost(self, reason: Any) -> None:
        """Wake whoever still waits to send."""
        self._stall_watch.stop()
        self.gate.release()
        super().connectionLost(reason)

    def _closeConnection(self, abort: bool = False) -> None:
        """Close the transport; RST only where bytes wait that the peer does not take, FIN where it has them all."""
        super()._closeConnection(abort and self._close_progress.pending_bytes() > 0)

    def _read_on(self) -> None:
        self._held = False
        self.transport.resumeProducing()
        if self.data:
            self.consumeData()

    def _pay_pong(self) -> None:
        payload, self._owed_pong = self._owed_pong, None
        if payload is not None:
            self.sendPong(payload)
