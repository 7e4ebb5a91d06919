"""One attempt over HTTP: whatever the receiver does, it takes ATTEMPT_SECONDS and DNS at most, and little memory.

The standard library's client, for what others have more is what must not be here: redirects, proxies from the
environment, retries, pools, decoding (docs/adr/0033).
"""

from __future__ import annotations

import http.client
import math
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache

from logviewer.webhooks.addresses import Network, Place, Target, resolve, target_of
from logviewer.webhooks.errors import BadAddress, InsideNetwork

CONNECT_SECONDS = 5.0
ATTEMPT_SECONDS = 20.0
"""From the first byte of DNS's answer to the last of the receiver's: Standard Webhooks advises 15 to 30 s."""

MAX_PLACES = 4
"""So many of a name's addresses are tried."""

MAX_ANSWER_BYTES = 64 * 1024
"""So much of a body is read, for receivers that take it amiss when nobody does; it is not looked at."""

GONE = 410


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: an HTTP status, or `why` there is none. `retry_after_seconds`: what it asked for."""

    status: int | None
    why: str
    duration_ms: int
    retry_after_seconds: float = 0.0

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has taken it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing any more."""
        return self.status == GONE


def send(url: str, headers: Mapping[str, str], body: bytes, allowed: Sequence[Network]) -> Answer:
    """POST `body`; says what came of it, and raises nothing that a receiver could be the cause of."""
    began = time.monotonic()

    def answer(status: int | None, why: str, retry_after_seconds: float = 0.0) -> Answer:
        return Answer(status, why, round((time.monotonic() - began) * 1000), retry_after_seconds)

    try:
        target = target_of(url)
        places = resolve(target, allowed)
    except (BadAddress, InsideNetwork) as error:
        return answer(None, str(error))
    except (OSError, UnicodeError) as error:
        return answer(None, f"the name cannot be resolved: {_short(error)}")
    deadline = Deadline(ATTEMPT_SECONDS)
    connection = Connection(target, places[:MAX_PLACES], deadline)
    try:
        connection.request("POST", target.path, body, dict(headers))
        response = connection.getresponse()
        if deadline.is_over:  # a head that is cut off passes for a whole one
            raise TimeoutError
        with suppress(OSError, http.client.HTTPException):  # the status says all
            response.read(MAX_ANSWER_BYTES)
        taken = 200 <= response.status < 300
        why = "" if taken else f"the receiver answered {response.status}"
        return answer(response.status, why, _retry_after(response.getheader("Retry-After")))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if deadline.is_over:
            return answer(None, f"no answer within {ATTEMPT_SECONDS:g} s")
        return answer(None, _why(error))
    finally:
        connection.close()
        deadline.cancel()


class Deadline:
    """Ends a connection when its time is up: a socket's own timeout begins anew with each byte that drips in."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._ends_at

    def left_seconds(self) -> float:
        """What is left, and a moment at least: a timeout of 0 would mean something else."""
        return max(0.001, self._ends_at - time.monotonic())

    def watch(self, connected: socket.socket) -> None:
        """End this connection, too, when the time is up. A descriptor of its own: TLS takes the other one away."""
        if self._socket is not None:
            self._socket.close()
        self._socket = connected.dup()
        if self.is_over:
            self._end()

    def cancel(self) -> None:
        """Forget it."""
        self._timer.cancel()
        self._timer.join()
        if self._socket is not None:
            self._socket.close()

    def _end(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class Connection(http.client.HTTPConnection):
    """A connection to one of the places that were checked, and to no other; with TLS where the target wants it."""

    def __init__(self, target: Target, places: Sequence[Place], deadline: Deadline) -> None:
        super().__init__(target.host, target.port)
        self.default_port = 443 if target.scheme == "https" else 80
        self._target = target
        self._places = places
        self._deadline = deadline

    def connect(self) -> None:
        """Connect to the first place that lets one; OSError of the last where none does."""
        refusal: OSError = OSError("no address")
        for place in self._places:
            if self._deadline.is_over:
                break
            try:
                self.sock = self._connected(place)
                return
            except OSError as error:
                refusal = error
        raise refusal

    def _connected(self, place: Place) -> socket.socket:
        connected = socket.socket(place.family, socket.SOCK_STREAM)
        try:
            connected.settimeout(min(CONNECT_SECONDS, self._deadline.left_seconds()))
            connected.connect(place.socket_address)
            connected.settimeout(self._deadline.left_seconds())
            self._deadline.watch(connected)
            if self._target.scheme == "https":
                return _tls().wrap_socket(connected, server_hostname=self._target.host)
        except BaseException:
            connected.close()
            raise
        return connected


@cache
def _tls() -> ssl.SSLContext:
    """The machine's authorities, which take a while to read."""
    return ssl.create_default_context()


def _retry_after(value: str | None) -> float:
    """Seconds from now, from a number of them or a date (RFC 9110, section 10.2.3); 0 where it says nothing."""
    if value is None:
        return 0.0
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, OSError):
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLError():
            return f"no trust: {_short(error)}"
        case TimeoutError():
            return "no connection: it took too long"
        case http.client.HTTPException() | ValueError():
            return f"what came is no HTTP: {_short(error)}"
        case _:
            return f"no connection: {_short(error)}"


def _short(error: Exception) -> str:
    """What the error says, in one printable line: some of it is the receiver's own words."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "".join(character if character.isprintable() else " " for character in str(text))[:200]
