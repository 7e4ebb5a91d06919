"""How many requests and bytes a token and an address may send; beyond that 429 with Retry-After (http-api.md).

A socket is a request when it opens: beyond, it is told 1013 (try later), with which agents and pages come back by
themselves after a pause. A 403 would send an agent to HTTP for ten minutes.

Buckets that fill at the allowed rate and hold BURST_SECONDS of it. They live in the process: N processes allow N times
as much. The defaults are beyond what one process can serve, so that an honest client never meets them; they are there
for the one that runs wild. A writer's socket is not refused in the middle: it is read no faster than that (`Meter`).
Nor is a body without a declared length: what comes of it is owed, and the next one waits.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from logviewer.doors.http import Receive, Send, send_problem
from logviewer.doors.identity import Scope, header
from logviewer.doors.refusals import TRY_LATER, refuse_socket
from logviewer.resources.client import Network, counted_as
from logviewer.resources.client import client_address as believed_address
from logviewer.resources.problems import Problem

BURST_SECONDS = 10
MAX_CALLERS = 10_000
"""Buckets that are remembered for each kind of limit; the one unused for longest goes first, and is full again then."""

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Limits:
    """What one token, and one address, may send in a second; 0 is no limit."""

    requests_per_second: int
    bytes_per_second: int


class Allowance:
    """One kind of limit: a bucket for each caller."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._capacity = float(per_second * BURST_SECONDS)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, caller: str, amount: int) -> float:
        """How long until the caller may send `amount`; 0 where it may now. More than a full bucket counts as one."""
        if not self._per_second or not amount:
            return 0.0
        missing = min(amount, self._capacity) - self._level(caller)
        return max(0.0, missing / self._per_second)

    def take(self, caller: str, amount: int) -> None:
        """Count `amount` against the caller, to an empty bucket at most."""
        self._set(caller, max(0.0, self._level(caller) - amount))

    def owe(self, caller: str, amount: int) -> None:
        """Count `amount` that has come without being asked for: what the bucket lacks is waited for the next time."""
        self._set(caller, self._level(caller) - amount)

    def _set(self, caller: str, level: float) -> None:
        if not self._per_second:
            return
        self._buckets[caller] = (level, self._clock())
        self._buckets.move_to_end(caller)
        while len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)

    def _level(self, caller: str) -> float:
        level, at = self._buckets.get(caller, (self._capacity, 0.0))
        return min(self._capacity, level + (self._clock() - at) * self._per_second)


class Meter:
    """What one caller sends over a socket, counted against the limit on bytes."""

    def __init__(self, uploads: Allowance, callers: Sequence[str]) -> None:
        self._uploads = uploads
        self._callers = callers

    def wait_seconds(self, amount: int) -> float:
        """How long until the caller may send `amount` bytes; 0 where it may now."""
        return max(self._uploads.wait_seconds(caller, amount) for caller in self._callers)

    def take(self, amount: int) -> None:
        """Count `amount` bytes."""
        for caller in self._callers:
            self._uploads.take(caller, amount)


def limit_rates(application: Application, limits: Limits, trusted_proxies: Sequence[Network] = ()) -> Application:
    """Put the limits before an ASGI application; a socket finds its Meter in its scope, under `meter`."""
    requests, uploads = Allowance(limits.requests_per_second), Allowance(limits.bytes_per_second)

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await application(scope, receive, send)
            return
        callers, length = _callers(scope, trusted_proxies), _declared_bytes(scope)
        wait = max(max(requests.wait_seconds(caller, 1), uploads.wait_seconds(caller, length)) for caller in callers)
        if wait:
            await _refuse(scope, receive, send, wait)
            return
        for caller in callers:
            requests.take(caller, 1)
            uploads.take(caller, length)
        if scope["type"] == "websocket":
            scope = {**scope, "meter": Meter(uploads, callers)}
        elif header(scope, b"transfer-encoding") is not None:
            receive = _counted(receive, uploads, callers)
        await application(scope, receive, send)

    return limited


def client_address(scope: Scope, trusted_proxies: Sequence[Network]) -> str:
    """The address that a scope's request comes from, as far as it can be believed."""
    client = scope.get("client")
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return believed_address(str(client[0]) if client else "", ",".join(lines), trusted_proxies)


def _callers(scope: Scope, trusted_proxies: Sequence[Network]) -> list[str]:
    """The buckets that a request is counted in: its address's, and its token's where it has one."""
    address = counted_as(client_address(scope, trusted_proxies))
    authorization = header(scope, b"authorization")
    if authorization is None:
        return [f"address {address}"]
    digest = hashlib.sha256(authorization.encode("latin-1")).hexdigest()  # the token itself is kept nowhere
    return [f"address {address}", f"token {digest}"]


def _counted(receive: Receive, uploads: Allowance, callers: Sequence[str]) -> Receive:
    """The `receive` of a request whose body is counted as it comes."""

    async def receive_counted() -> MutableMapping[str, Any]:
        message = await receive()
        for caller in callers:
            uploads.owe(caller, len(message.get("body", b"")))
        return message

    return receive_counted


def _declared_bytes(scope: Scope) -> int:
    """The body's declared length; of one that comes in chunks and declares none the first byte, for it needs room."""
    if header(scope, b"transfer-encoding") is not None:
        return 1
    declared = header(scope, b"content-length") or ""
    return int(declared) if declared.isascii() and declared.isdigit() and len(declared) < len(str(2**63)) else 0


async def _refuse(scope: Scope, receive: Receive, send: Send, wait: float) -> None:
    seconds = ceil(wait)
    detail = f"This is more than one caller may send; go on in {seconds} s."
    if scope["type"] == "websocket":
        await refuse_socket(receive, send, TRY_LATER, detail)
        return
    headers = {"Retry-After": str(seconds)}
    await send_problem(send, Problem("rate-limited", "Too many requests", 429, detail, headers=headers))
