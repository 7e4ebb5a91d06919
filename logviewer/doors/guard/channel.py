# ruff: noqa: N802 - Twisted calls these methods by these names
"""Daphne's HTTP connection and request, guarded: bounded bodies, a write gate, and endings that are not cut off."""

import time
from io import BytesIO
from typing import Any

from daphne.http_protocol import WebRequest
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from logviewer.doors.guard.bodies import (
    DEFAULT_MAX_BODY_BYTES,
    LINGER_BYTES,
    LINGER_IDLE_SECONDS,
    LINGER_SECONDS,
    problem_headers,
    timeout_problem,
    too_large_problem,
)
from logviewer.doors.guard.transport import STALLED_SECONDS, Progress, StallWatch, WriteGate

REQUEST_PIECE_BYTES = 256 * 1024
"""Daphne queues a body in pieces of 8 KiB, 128 events for 1 MiB; with this size there are 5."""

MIN_BODY_BYTES_PER_SECOND = 1024
"""How fast a body has to come at least, on the whole, beyond the idle timeout that each has: 1 MiB has 18 minutes.

Apache's ``RequestReadTimeout`` asks for 500. Without it a body may go on for as long as a byte of it comes each minute.
"""


class BodyTooLargeError(Exception):
    """More of a body arrived than the limit allows; raised through Twisted's decoder, so that it stops at once."""


class GuardedChannel(HTTPChannel):
    """One HTTP/1 connection: the transport's push producer, and the place where a request body is refused.

    After a refusal the connection lingers: it is closed for writing, and what still arrives is thrown away within
    LINGER_BYTES, LINGER_SECONDS and LINGER_IDLE_SECONDS. Closing at once would answer the bytes under way with RST,
    which takes the 413 from a client that has not read it yet.
    """

    max_body_bytes = DEFAULT_MAX_BODY_BYTES

    _lingering = False
    _linger_call: Any = None
    _linger_bytes_left = LINGER_BYTES
    _body_began_at = 0.0
    _body_bytes = 0

    def connectionMade(self) -> None:
        """Open the gate before Twisted registers this channel as the transport's producer."""
        self.gate = WriteGate(self.transport)
        self._stall_watch = StallWatch(self.transport, STALLED_SECONDS)
        super().connectionMade()

    def pauseProducing(self) -> None:
        """The write buffer is full: senders wait, and Twisted stops reading further requests."""
        self.gate.pauseProducing()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """The write buffer is empty: requests are read again, and senders go on."""
        super().resumeProducing()
        self.gate.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is lost: nobody waits for it any longer."""
        self.gate.release()
        super().stopProducing()

    def allHeadersReceived(self) -> None:
        """Refuse a declared length over the limit before ``100 Continue`` is sent and before any of it is read."""
        if self.length is not None and self.length > self.max_body_bytes:
            self._refuse()
        else:
            super().resetTimeout()
            self._body_began_at, self._body_bytes = time.monotonic(), 0
            super().allHeadersReceived()

    def resetTimeout(self) -> None:
        """Let bytes of a body prolong the time that a client has; for all of a head it has the idle timeout, 60 s.

        How far they do in all is bounded by MIN_BODY_BYTES_PER_SECOND. Twisted would let a head go on for as long as a
        byte of it comes each minute, up to its 16 KiB: eleven days.
        """
        if not self.line_mode:
            super().resetTimeout()

    def rawDataReceived(self, data: bytes) -> None:
        """Hand on a piece of a body, or throw it away after a refusal; end a body that comes too slowly."""
        if self._lingering:
            self._discard(len(data))
            return
        self._body_bytes += len(data)
        if self._transferDecoder is not None and self._is_late():
            self.timeoutConnection()
            return
        try:
            super().rawDataReceived(data)
        except BodyTooLargeError:
            self._refuse()

    def loseConnection(self) -> None:
        """Close once the buffer is flushed, linger after a refusal, and give up a peer that takes nothing."""
        if self._lingering and self._linger_call is None:
            self._linger()
            return
        self._end_linger_call()
        super().loseConnection()
        self.gate.release()
        self._stall_watch.start()

    def timeoutConnection(self) -> None:
        """End an idle connection; where a slow reader still takes the last response, flush before closing.

        Twisted would abort such a connection 15 s later and cut the response off. A client whose request has begun is
        told why.
        """
        if not self._lingering and (self._buffer or self._receivedHeaderSize):
            self._say_timeout()
        if self._lingering or Progress(self.transport).pending_bytes():
            self.setTimeout(None)
            self.loseConnection()
        else:
            super().timeoutConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Wake whoever still waits to send."""
        self._end_linger_call()
        self._stall_watch.stop()
        self.gate.release()
        super().connectionLost(reason)

    def _is_late(self) -> bool:
        """Whether the body should be further by now; not where no timeout is set."""
        if self.timeOut is None:
            return False
        allowed_seconds = float(self.timeOut) + self._body_bytes / MIN_BODY_BYTES_PER_SECOND
        return time.monotonic() - self._body_began_at > allowed_seconds

    def _refuse(self) -> None:
        self._lingering = True
        self._transferDecoder = None
        self.persistent = False
        self.requests[-1].refuse(self._command, self._path, self._version, self.max_body_bytes)

    def _say_timeout(self) -> None:
        problem = timeout_problem()
        headers = b"".join(b"%s: %s\r\n" % header for header in problem_headers(problem))
        transport: Any = self.transport
        transport.write(b"HTTP/1.1 408 Request Timeout\r\n" + headers + b"\r\n" + problem)

    def _linger(self) -> None:
        self._linger_call = self.callLater(LINGER_SECONDS, self.loseConnection)
        self.setTimeout(LINGER_IDLE_SECONDS)
        if not self.isSecure():  # TLS has no half-close in Twisted
            self._networkProducer.unregisterProducer()
            half_closeable: Any = self.transport
            half_closeable.loseWriteConnection()

    def _discard(self, count: int) -> None:
        self._linger_bytes_left -= count
        if self._linger_bytes_left < 0:
            self.loseConnection()

    def _end_linger_call(self) -> None:
        if self._linger_call is not None and self._linger_call.active():
            self._linger_call.cancel()


class GuardedRequest(WebRequest):
    """One request of a GuardedChannel; its body stays in memory, as the limit keeps it small."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.server.request_buffer_size = max(self.server.request_buffer_size, REQUEST_PIECE_BYTES)

    def gotLength(self, length: int | None) -> None:
        """Keep the body in memory; Twisted would put one from 100,000 bytes on in a temporary file."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Store a piece of the body.

        Raises:
            BodyTooLargeError: the body has passed the channel's limit.
        """
        if self.content.tell() + len(data) > self.channel.max_body_bytes:
            raise BodyTooLargeError
        super().handleContentChunk(data)

    def refuse(self, method: bytes, uri: bytes, version: bytes, max_body_bytes: int) -> None:
        """Answer 413 in the place of the application."""
        self.method, self.uri, self.clientproto = method, uri, version
        self.path = uri.partition(b"?")[0]
        if hasattr(self.client, "host") and hasattr(self.client, "port"):
            self.client_addr = [str(self.client.host), self.client.port]  # for Daphne's access log
        problem = too_large_problem(max_body_bytes)
        self.handle_reply({"type": "http.response.start", "status": 413, "headers": problem_headers(problem)})
        self.handle_reply({"type": "http.response.body", "body": problem, "more_body": False})
