# ruff: noqa: N802 - Twisted calls producers by these names
"""What the guard needs to know of a Twisted transport: how much waits in it, whether it moves, when to send again."""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor

HIGH_WATER_BYTES = 256 * 1024
"""``send`` waits while more than this is in the transport's write buffer, and goes on when Twisted has emptied it.

Twisted's low-water mark is an empty buffer: the kernel's socket buffer, megabytes, keeps the line busy meanwhile.
"""

SEND_BYTES = 2 * HIGH_WATER_BYTES
"""What one system call may take; with Twisted's 128 KiB a full buffer costs three rounds of the loop instead of one."""

STALLED_SECONDS = 300.0
"""A peer that takes no byte for this long, while bytes wait for it, is given up (nginx's ``send_timeout`` is 60)."""

_TCP_INFO_BYTES_ACKED_OFFSET = 120
_TCP_INFO_BYTES = 128


def connection_below(transport: Any) -> Any:
    """Return the FileDescriptor with the socket under ``transport``; TLS wraps it in protocols.

    It is known by its type: those protocols have whatever it has, as they hand on what they are asked for (Twisted's
    ``ProtocolWrapper``).
    """
    while not isinstance(transport, FileDescriptor) and getattr(transport, "transport", None) is not None:
        transport = transport.transport
    return transport


def buffered_bytes(connection: Any) -> int:
    """Return how many bytes wait in this process for ``connection``'s socket."""
    return int(len(connection.dataBuffer) - connection.offset + connection._tempDataLen)


class Progress:
    """Whether the peer still takes what is sent to it: a slow reader moves, a dead one does not."""

    def __init__(self, transport: Any) -> None:
        self._connection = connection_below(transport)
        self._seen = self._position()

    def pending_bytes(self) -> int:
        """Return how many bytes the peer's host has not acknowledged yet, in this process and in the kernel."""
        return buffered_bytes(self._connection) + _unacknowledged_bytes(self._socket())

    def moved(self) -> bool:
        """Return whether the peer's host acknowledged bytes since the last call."""
        before, self._seen = self._seen, self._position()
        return self._seen != before

    def _position(self) -> int:
        acknowledged = _acknowledged_bytes(self._socket())
        return -self.pending_bytes() if acknowledged is None else acknowledged

    def _socket(self) -> socket.socket | None:
        found: socket.socket | None = getattr(self._connection, "socket", None)
        return found


def _acknowledged_bytes(sock: socket.socket | None) -> int | None:
    """Return ``tcpi_bytes_acked`` of Linux's ``struct tcp_info``; None where there is no such count."""
    if sock is None or not hasattr(socket, "TCP_INFO"):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    if len(info) < _TCP_INFO_BYTES:
        return None
    return int(struct.unpack_from("=Q", info, _TCP_INFO_BYTES_ACKED_OFFSET)[0])


def _unacknowledged_bytes(sock: socket.socket | None) -> int:
    """Return what the kernel holds for the peer (SIOCOUTQ, the same number as TIOCOUTQ); 0 where it cannot tell."""
    if sock is None:
        return 0
    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0])
    except OSError:
        return 0


class WriteGate:
    """A Twisted push producer that senders wait at: closed while the transport's write buffer is full.

    ``pauseProducing`` and ``resumeProducing`` are Twisted's calls (buffer over 64 KiB; buffer empty).
    """

    def __init__(self, transport: Any, on_resume: Callable[[], None] | None = None) -> None:
        self._transport = transport
        self._connection = connection_below(transport)
        self._connection.SEND_LIMIT = SEND_BYTES
        self._on_resume = on_resume
        self._waiters: set[asyncio.Future[bool]] = set()
        self._released = False
        self.paused = False

    def pauseProducing(self) -> None:
        """The transport's buffer has filled up."""
        self.paused = True

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self.paused = False
        self._wake()
        if self._on_resume is not None:
            self._on_resume()

    def stopProducing(self) -> None:
        """The transport has lost its connection."""
        self.release()

    def write(self, *pieces: bytes | memoryview) -> None:
        """Write at once, as far as the socket takes it; the transport gets the rest, and a loss is for it to notice.

        Where something lies between transport and socket, as TLS does, the transport gets all of it.

        Pieces may be overwritten afterwards: what is left of a view is copied.
        """
        sent = 0
        if self._transport is self._connection and not buffered_bytes(self._connection):
            try:
                sent = self._connection.socket.sendmsg(pieces)
            except OSError:  # nothing fits, or the connection is lost, which the transport will see as well
                sent = 0
        for piece in pieces:
            if sent < len(piece):
                self._transport.write(bytes(piece[sent:]))
            sent = max(0, sent - len(piece))

    def release(self) -> None:
        """Let all waiting senders go for good: nothing more will be written here."""
        self._released = True
        self._wake()

    async def opened(self) -> None:
        """Wait while more than HIGH_WATER_BYTES are buffered; abort a connection that stalls for STALLED_SECONDS."""
        while self._closed_above(HIGH_WATER_BYTES):
            if not await self._changed_or_moved(STALLED_SECONDS):
                self._transport.abortConnection()
                return

    async def drained(self, patience_seconds: float) -> None:
        """Wait until the buffer is empty (or at least below 64 KiB), or has not moved for ``patience_seconds``."""
        while self._closed_above(0) and await self._changed_or_moved(patience_seconds):
            pass

    def _closed_above(self, limit_bytes: int) -> bool:
        return self.paused and not self._released and buffered_bytes(self._connection) > limit_bytes

    async def _changed_or_moved(self, patience_seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        progress = Progress(self._transport)
        waiter: asyncio.Future[bool] = loop.create_future()

        def look() -> None:
            if not waiter.done():
                waiter.set_result(progress.moved())

        timer = loop.call_later(patience_seconds, look)
        self._waiters.add(waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(True)


class StallWatch:
    """Aborts a connection that is being closed when its peer takes nothing for ``patience_seconds``."""

    def __init__(self, transport: Any, patience_seconds: float) -> None:
        self._transport = transport
        self._connection = connection_below(transport)
        self._patience_seconds = patience_seconds
        self._call: Any = None

    def start(self) -> None:
        """Begin to watch, unless the connection has ended or is watched already."""
        if self._call is None and not self._connection.disconnected:
            self._progress = Progress(self._transport)
            self._look_later()

    def stop(self) -> None:
        """The connection has ended: forget it, as thousands of short ones end within one patience."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look_later(self) -> None:
        self._call = self._connection.reactor.callLater(self._patience_seconds, self._look)

    def _look(self) -> None:
        self._call = None
        if self._progress.moved():
            self._look_later()
        else:
            self._transport.abortConnection()
