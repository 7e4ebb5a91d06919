"""A connection to `/ws/intake/` in use: shares it among the streams of several logs, and notices when it is dead."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import os
import selectors
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Union

from .errors import SocketUnavailable
from .stream import MIN_ROOM_BYTES, NEVER

if TYPE_CHECKING:
    from .stream import OutputStream
    from .websocket import Closed, WebSocket

MAX_IN_FLIGHT_BYTES = 3 * 1024 * 1024
"""The server closes a socket with more than 4 MiB unacknowledged."""

TURN_BYTES = 256 * 1024
"""So much is queued before the kernel gets it: small frames go together, and none waits behind many."""

PING_AFTER_SECONDS = 10.0
STILL_SECONDS = 20.0
SILENT_SECONDS = 50.0
"""A connection is dead when a ping is not answered and nothing moves for 20 s, or nothing is heard for 50 s."""

LOST = 1006


class Waker:
    """Wakes a thread that waits with a selector; any thread may call `wake`."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)

    def wake(self) -> None:
        """Let the selector return, now or as soon as it is called."""
        with contextlib.suppress(BlockingIOError):  # full: it wakes anyway
            os.write(self._writer, b"\0")

    def clear(self) -> None:
        """Take back what `wake` has done."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.reader, 4096)


class IntakeConnection:
    """`serve` runs in the socket's thread; `add`, `forget` and `leave` are called by others.

    Attributes:
        useful: whether the server has acknowledged anything.
    """

    def __init__(self, websocket: WebSocket, waker: Waker) -> None:
        self.useful = False
        self._websocket = websocket
        self._waker = waker
        self._streams: dict[str, OutputStream] = {}
        self._news: deque[OutputStream] = deque()
        self._queue: deque[OutputStream] = deque()
        self._timers: list[tuple[float, int, OutputStream]] = []
        self._timer_numbers = itertools.count()
        self._in_flight_bytes = 0
        self._asleep = False
        self._leaving = False

    def add(self, stream: OutputStream) -> None:
        """Send a stream."""
        self._streams[str(stream.log)] = stream
        stream.listen(lambda: self._tell(stream))
        self._tell(stream)

    def forget(self, stream: OutputStream) -> None:
        """Send no more of a stream that is detached."""
        self._tell(stream)

    def leave(self) -> None:
        """Say goodbye and end `serve`."""
        self._leaving = True
        self._waker.wake()

    def _tell(self, stream: OutputStream) -> None:
        self._news.append(stream)
        if self._asleep:
            self._waker.wake()

    def serve(self, retire: Callable[[], None]) -> Closed:
        """Send and receive until the connection ends; answers how.

        Then calls `retire`, after which nobody may call `add`, and lets all streams that are left fail.
        """
        from .websocket import Closed

        closed = Closed(LOST, "the agent failed")
        try:
            closed = self._serve()
        except SocketUnavailable as overdue:
            closed = Closed(LOST, str(overdue))
        finally:
            self._websocket.drop()
            retire()
            for stream in list(self._streams.values()):
                stream.silence()
                stream.fail(SocketUnavailable(f"the connection ended ({closed.reason or closed.code})"))
        return closed

    def _serve(self) -> Closed:
        from .websocket import Closed

        websocket = self._websocket
        with selectors.DefaultSelector() as selector:
            selector.register(self._waker.reader, selectors.EVENT_READ)
            interest = selectors.EVENT_READ
            selector.register(websocket, interest)
            readable = True
            while True:
                if readable:
                    self._receive()
                if websocket.closed is not None:
                    return websocket.closed
                now = time.monotonic()
                self._take_news(now)
                self._send(now)
                if self._leaving:
                    websocket.close()
                    websocket.flush()
                    return Closed(1000, "")
                if websocket.closed is not None:
                    return websocket.closed
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if websocket.outgoing else 0)
                if wanted != interest:
                    selector.modify(websocket, wanted)
                    interest = wanted
                readable = self._sleep(selector, min(self._next_timer(), self._check_life(now)) - now)

    def _sleep(self, selector: selectors.BaseSelector, seconds: float) -> bool:
        """Wait for the peer, for news, or for time to pass; whether there is something to be received."""
        self._asleep = True
        idle = not self._news and not (self._queue and self._can_send())
        events = selector.select(max(0.0, seconds) if idle else 0)
        self._asleep = False
        readable = False
        for key, mask in events:
            if key.fileobj == self._waker.reader:
                self._waker.clear()
            elif mask & selectors.EVENT_READ:
                readable = True
        return readable

    def _take_news(self, now: float) -> None:
        for _ in range(len(self._news)):
            self._look_at(self._news.popleft(), now)
        while self._timers and self._timers[0][0] <= now:
            _, _, stream = heapq.heappop(self._timers)
            stream.timer_at = NEVER
            self._look_at(stream, now)

    def _look_at(self, stream: OutputStream, now: float) -> None:
        """Queue it, or note when it is to be looked at next."""
        stream.end_if_done()
        if stream.detached or stream.ended:
            self._forget(stream)
            return
        due_at = stream.due_at(now)
        if due_at <= now:
            if not stream.queued:
                stream.queued = True
                self._queue.append(stream)
        elif due_at < stream.timer_at:
            stream.timer_at = due_at
            heapq.heappush(self._timers, (due_at, next(self._timer_numbers), stream))

    def _forget(self, stream: OutputStream) -> None:
        if self._streams.get(str(stream.log)) is stream:
            del self._streams[str(stream.log)]
            self._in_flight_bytes -= stream.in_flight_bytes
            stream.silence()

    def _next_timer(self) -> float:
        return self._timers[0][0] if self._timers else NEVER

    def _can_send(self) -> bool:
        return not self._websocket.outgoing and MAX_IN_FLIGHT_BYTES - self._in_flight_bytes >= MIN_ROOM_BYTES

    def _send(self, now: float) -> None:
        """Frames of the streams that are due, in turn, as far as the server and the kernel take them."""
        self._websocket.flush()
        queued_bytes = 0
        while self._queue and queued_bytes < TURN_BYTES and self._can_send():
            stream = self._queue.popleft()
            stream.queued = False
            if stream.detached or stream.ended:
                self._forget(stream)
                continue
            queued_bytes += self._send_frame(stream, now)
            self._look_at(stream, now)
        self._websocket.flush()

    def _send_frame(self, stream: OutputStream, now: float) -> int:
        before = stream.in_flight_bytes
        try:
            frame = stream.next_frame(now, MAX_IN_FLIGHT_BYTES - self._in_flight_bytes)
        except OSError as error:
            stream.fail(error)
            return 0
        self._in_flight_bytes += stream.in_flight_bytes - before
        if frame is None:
            return 0
        self._websocket.send(frame)
        return len(frame)

    def _receive(self) -> None:
        now = time.monotonic()
        for message in self._websocket.receive():
            answer = _json_object(message)
            stream = self._streams.get(str(answer.get("log")))
            if stream is not None and not stream.detached:
                self._take_answer(stream, answer, now)

    def _take_answer(self, stream: OutputStream, answer: dict[str, Any], now: float) -> None:
        before, offset = stream.in_flight_bytes, answer.get("offset")
        if answer.get("type") == "received" and isinstance(offset, int):
            self.useful = True
            stream.received(offset, answer.get("flush_ms"), now)
        elif answer.get("type") == "error":
            stream.refused(answer, now)
        self._in_flight_bytes += stream.in_flight_bytes - before
        self._look_at(stream, now)

    def _check_life(self, now: float) -> float:
        """Ping where it has become quiet; answers when to look again.

        Raises:
            SocketUnavailable: the connection is dead.
        """
        websocket = self._websocket
        if websocket.pinged_at is None:
            if now < websocket.heard_at + PING_AFTER_SECONDS:
                return websocket.heard_at + PING_AFTER_SECONDS
            websocket.ping(now)
        pinged_at = websocket.pinged_at or now
        dead_at = min(max(websocket.moved_at, pinged_at) + STILL_SECONDS, pinged_at + SILENT_SECONDS)
        if now >= dead_at:
            raise SocketUnavailable("no answer in time")
        return dead_at


def _json_object(message: Union[str, bytes]) -> dict[str, Any]:
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
