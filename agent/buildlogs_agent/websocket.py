"""One WebSocket to the server, for a thread that waits with `selectors`: nothing here waits but `connect`.

The protocol is the websockets library's, without its threads: those hold a lock while they write, so that a server
that stops reading would also keep them from noticing that it is gone.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from . import __version__
from .errors import SocketUnavailable

if TYPE_CHECKING:
    from typing import Union

SUBPROTOCOL = "buildlogs.v1"

MAX_MESSAGE_BYTES = 64 * 1024
"""The server sends acknowledgements and errors, which are short."""

RECEIVE_BYTES = 64 * 1024
PING_BYTES = 6
"""On the wire: that the kernel took it proves nothing."""


class Closed(NamedTuple):
    """How a connection ended: the close code, 1006 where there was none, and what was said."""

    code: int
    reason: str


class WebSocket:
    """An open connection.

    Attributes:
        closed: how it ended, or None while it is open.
        heard_at: when the server last sent anything; monotonic seconds.
        moved_at: when bytes last went in either direction, pings aside.
        pinged_at: when a sign of life was asked for that has not come, or None.
    """

    def __init__(self, connected: socket.socket, protocol: ClientProtocol) -> None:
        connected.setblocking(False)
        self.closed: Optional[Closed] = None
        self.heard_at = self.moved_at = time.monotonic()
        self._socket = connected
        self._protocol = protocol
        self._outgoing: deque[memoryview] = deque()
        self.pinged_at: Optional[float] = None

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    @property
    def outgoing(self) -> bool:
        """Whether something waits until the kernel takes it."""
        return bool(self._outgoing)

    def ping(self, now: float) -> None:
        """Ask for a sign of life."""
        self.pinged_at = now
        self._protocol.send_ping(b"")
        self.flush()

    def send(self, message: bytes) -> None:
        """Queue a binary message; `flush` sends it. Callers keep the queue short by looking at `outgoing`."""
        self._protocol.send_binary(message)

    def close(self) -> None:
        """Say that this is the end; what is queued goes out first."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)

    def flush(self) -> None:
        """Give the kernel what it takes now."""
        self._take_outgoing()
        try:
            while self._outgoing:
                head = self._outgoing[0]
                count = self._socket.send(head)
                if count > PING_BYTES:
                    self.moved_at = time.monotonic()
                if count == len(head):
                    self._outgoing.popleft()
                else:
                    self._outgoing[0] = head[count:]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._lose(error)

    def receive(self) -> list[Union[str, bytes]]:
        """The messages that have arrived; afterwards `closed` tells whether more can come."""
        try:
            while True:  # TLS may hold more than one reading, which no selector tells
                data = self._socket.recv(RECEIVE_BYTES)
                self.heard_at = self.moved_at = time.monotonic()
                self.pinged_at = None
                if not data:
                    self._protocol.receive_eof()
                    break
                self._protocol.receive_data(data)
                if len(data) < RECEIVE_BYTES and not isinstance(self._socket, ssl.SSLSocket):
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self._lose(error)
        messages = [_content(event) for event in self._protocol.events_received() if isinstance(event, Frame)]
        if self._protocol.state is not State.OPEN:
            self._end()
        return [message for message in messages if message is not None]

    def _end(self) -> None:
        """Say goodbye, without waiting for the peer's end of the stream: there is nothing to be sent any more.

        What the peer said counts, whatever becomes of our answer.
        """
        self.flush()
        said = self._protocol.close_rcvd
        if said is not None:
            self.closed = Closed(said.code, said.reason)
        self.closed = self.closed or Closed(1006, "")

    def _lose(self, error: OSError) -> None:
        self.closed = self.closed or Closed(1006, error.strerror or type(error).__name__)
        self._outgoing.clear()

    def _take_outgoing(self) -> None:
        messages = self._protocol.data_to_send()
        if messages and self.closed is None:
            together = b"".join(messages) if len(messages) > 1 else messages[0]
            if together:  # an end of the stream is nothing: the socket's own close says it
                self._outgoing.append(memoryview(together))

    def drop(self) -> None:
        """Leave, without a word."""
        with contextlib.suppress(OSError):
            self._socket.close()


def _content(frame: Frame) -> Union[str, bytes, None]:
    if frame.opcode is Opcode.TEXT and frame.fin:
        return bytes(frame.data).decode(errors="replace")
    return bytes(frame.data) if frame.opcode is Opcode.BINARY else None


def connect(server: str, path: str, token: Optional[str], timeout: float) -> WebSocket:
    """Connect to `path` below the server's address within `timeout` seconds.

    Raises:
        SocketUnavailable: with what to expect of a further attempt.
    """
    deadline = time.monotonic() + timeout
    parts = urlsplit(server)
    secure = parts.scheme == "https"
    try:
        connected = socket.create_connection((parts.hostname, parts.port or (443 if secure else 80)), timeout)
    except OSError as error:
        raise SocketUnavailable(error.strerror or "no answer in time") from None
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            connected = ssl.create_default_context().wrap_socket(connected, server_hostname=parts.hostname)
        uri = f"{'wss' if secure else 'ws'}://{parts.netloc}{parts.path.rstrip('/')}{path}"
        return WebSocket(connected, _shake_hands(connected, uri, token, deadline))
    except OSError as error:  # also a timeout: a proxy that knows no upgrade may wait for more
        connected.close()
        raise SocketUnavailable(error.strerror or "no answer to the upgrade in time", blocked=True) from None
    except SocketUnavailable:
        connected.close()
        raise


def _shake_hands(connected: socket.socket, uri: str, token: Optional[str], deadline: float) -> ClientProtocol:
    protocol = ClientProtocol(parse_uri(uri), subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=MAX_MESSAGE_BYTES)
    request = protocol.connect()
    request.headers["User-Agent"] = f"buildlogs-agent/{__version__}"
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
    protocol.send_request(request)
    connected.sendall(b"".join(protocol.data_to_send()))
    while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
        connected.settimeout(max(0.01, deadline - time.monotonic()))
        data = connected.recv(RECEIVE_BYTES)
        if data:
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
    if protocol.handshake_exc is not None:
        raise _unavailable(protocol.handshake_exc)
    return protocol


def _unavailable(error: Exception) -> SocketUnavailable:
    """What a failed handshake means: who answers 404 or 501 has no such door, 503 may have it in a moment."""
    if not isinstance(error, InvalidStatus):
        return SocketUnavailable("the answer to the upgrade is no WebSocket's", blocked=True)
    status = error.response.status_code
    return SocketUnavailable(
        f"the upgrade was answered with HTTP {status}", blocked=status not in (429, 500, 502, 503, 504)
    )
