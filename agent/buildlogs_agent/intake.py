"""The WebSocket `/ws/intake/`: one connection a process, one thread, and the output of all logs that it sends.

HTTP does the same, a body at a time, and always works where the server does. So nothing here is needed: who finds no
socket, or loses it, sends over HTTP, and finds the socket again when it is back.
"""

from __future__ import annotations

import atexit
import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING, Optional

from .connection import IntakeConnection, Waker
from .errors import SocketUnavailable

if TYPE_CHECKING:
    from .stream import OutputStream
    from .websocket import Closed, WebSocket

PATH = "/ws/intake/"

CONNECT_SECONDS = 5.0
GRACE_SECONDS = 1.0
"""How long output waits for a connection that is being made, before it goes over HTTP."""

SOON_SECONDS = 0.5
AWAY_SECONDS = 5.0
BUSY_SECONDS = 15.0
BLOCKED_SECONDS = 60.0
MAX_BLOCKED_SECONDS = 600.0
"""Until the next attempt: after a loss; where nothing listens; where the server asks for it; where there is no way."""

GOING_AWAY, START_AGAIN, TRY_LATER, ANOTHER_WRITER = 1001, 1012, 1013, 4409
CLOSE_SECONDS = 0.5


class IntakeSocket:
    """Connects while somebody wants it, in a thread that begins with the first `open` and ends with the process."""

    def __init__(self, server: str, token: Optional[str]) -> None:
        self._server = server
        self._token = token
        self._changed = threading.Condition()
        self._users = 0
        self._thread: Optional[threading.Thread] = None
        self._waker: Optional[Waker] = None
        self._connection: Optional[IntakeConnection] = None
        self._next_attempt = 0.0
        self._attempting = False
        self._failures = 0
        self._closing = False

    def open(self) -> None:
        """Connect, and stay connected, until as many calls of `release`."""
        with self._changed:
            self._users += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
                with contextlib.suppress(RuntimeError):  # the limit of threads is reached: HTTP needs none
                    self._thread.start()
                    atexit.register(self.close)
            self._changed.notify_all()

    def release(self) -> None:
        """No longer needed by who called `open`."""
        with self._changed:
            self._users -= 1

    def attach(self, stream: OutputStream) -> bool:
        """Let the socket send the stream, until that ends or `detach`; False where there is no socket now."""
        with self._changed:
            self._changed.wait_for(lambda: self._connection or not self._is_promising(), GRACE_SECONDS)
            if self._connection is None:
                return False
            self._connection.add(stream)
            return True

    def _is_promising(self) -> bool:
        """Whether there may be a connection in a moment."""
        alive = self._thread is not None and self._thread.is_alive()
        return alive and (self._attempting or self._next_attempt - time.monotonic() <= SOON_SECONDS)

    def detach(self, stream: OutputStream) -> None:
        """Leave the stream where it is."""
        stream.detach()
        with self._changed:
            if self._connection is not None:
                self._connection.forget(stream)

    def close(self) -> None:
        """Say goodbye, for the process ends; nobody waits for a connection that is only being made."""
        with self._changed:
            self._closing = True
            connected = self._connection is not None
            if self._connection is not None:
                self._connection.leave()
            self._changed.notify_all()
        if connected and self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while self._wait_for_turn():
            try:
                self._use(self._connect())
            except SocketUnavailable as unavailable:
                self._postpone(unavailable.blocked)
            except Exception:  # a fault of ours, or of a library's version: HTTP does without
                self._postpone(blocked=True)

    def _wait_for_turn(self) -> bool:
        """Wait until a connection is wanted and may be tried; False at the end."""
        with self._changed:
            while not self._closing:
                delay = self._next_attempt - time.monotonic()
                if self._users and delay <= 0:
                    self._attempting = True
                    return True
                self._changed.wait(delay if self._users else None)
            return False

    def _connect(self) -> WebSocket:
        try:
            from .websocket import connect  # not before the command runs: its library takes a while to load
        except ImportError as error:
            raise SocketUnavailable(str(error), blocked=True) from None
        return connect(self._server, PATH, self._token, CONNECT_SECONDS)

    def _use(self, websocket: WebSocket) -> None:
        self._waker = self._waker or Waker()
        connection = IntakeConnection(websocket, self._waker)
        with self._changed:
            self._connection, self._attempting = connection, False
            if self._closing:
                connection.leave()
            self._changed.notify_all()
        closed = connection.serve(self._retire)
        if connection.useful:
            self._failures = 0
        self._plan(closed, connection.useful)

    def _retire(self) -> None:
        """Let no further stream on to the connection."""
        with self._changed:
            self._connection = None

    def _plan(self, closed: Closed, useful: bool) -> None:
        """When to connect again."""
        if closed.code == TRY_LATER:
            self._postpone_by(random.uniform(BUSY_SECONDS / 3, BUSY_SECONDS))  # noqa: S311 - jitter
        elif closed.code in (GOING_AWAY, START_AGAIN) or (useful and closed.code < 4000):
            self._postpone_by(random.uniform(0, SOON_SECONDS))  # noqa: S311 - jitter
        elif closed.code == ANOTHER_WRITER or closed.code < 4000:
            self._postpone(blocked=self._failures > 1)  # a proxy may close what it has let be opened
        else:
            self._postpone(blocked=True)

    def _postpone(self, blocked: bool) -> None:
        self._failures += 1
        longest = min(BLOCKED_SECONDS * 2 ** min(self._failures, 10), MAX_BLOCKED_SECONDS) if blocked else AWAY_SECONDS
        self._postpone_by(random.uniform(longest / 2, longest))  # noqa: S311 - jitter

    def _postpone_by(self, seconds: float) -> None:
        with self._changed:
            self._next_attempt = time.monotonic() + seconds
            self._attempting = False
            self._changed.notify_all()
