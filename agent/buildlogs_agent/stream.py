"""One log on its way through the intake socket: what was sent, what is acknowledged, and when more may go."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

from .errors import Refused, SocketUnavailable, problem_name
from .spool import FLUSH_BYTES, FLUSH_INTERVAL_SECONDS
from .wire import FRAME_HEADER_BYTES, MAX_FRAME_BYTES, MAX_UNIT_PAYLOAD_BYTES, encode_frame

if TYPE_CHECKING:
    from .api import Id
    from .spool import Spool

MAX_OUTPUT_FRAME_BYTES = MAX_FRAME_BYTES // 2
"""The server takes twice as much; but four buffers of that size, which is what sending one takes, are given back to the
system and asked for again with each frame: a third of the sending thread's time (measured: 80,000 page faults a 100 MB
instead of 9,000)."""

MIN_ROOM_BYTES = MAX_UNIT_PAYLOAD_BYTES + 2 * FRAME_HEADER_BYTES
"""Where less may go than a frame of the longest unit, nothing goes."""

MAX_FLUSH_SECONDS = 1.0

PROMPT_SECONDS = 0.2
"""A server that takes longer to answer gets no further small frame of the log before it has: so a thousand logs send as
many frames as it can take, and each holds what has gathered meanwhile."""

FIRST_HOLD_SECONDS = 0.1
MAX_HOLD_SECONDS = 5.0
MAX_HOLD_ASKED_SECONDS = 60.0
MAX_GAPS_RUNNING = 20
"""A server that wants the same bytes again and again, although it gets them, will not have them."""

ANSWER_SECONDS = 60.0
"""What is not acknowledged after so long is offered again, over a new connection."""

TRANSIENT_PROBLEMS = {"storage-full", "rate-limited", "locked"}
TRANSIENT_STATUSES = {408, 429}
NEVER = float("inf")


class Listener(NamedTuple):
    """Who wants to know of a stream: that the server took bytes, and that it asks for patience and why."""

    on_received: Callable[[], None]
    on_away: Callable[[str], None]


class _Flight(NamedTuple):
    end: int
    size_bytes: int
    sent_at: float


class OutputStream:
    """Sends a spool from an offset to its close. All but `wait` and `listen` belong to the socket's thread.

    Where it is in doubt what the server has, it *probes*: an empty frame at offset 0 is answered with the bytes that
    the server has, whatever became of the frames before it.

    Attributes:
        acknowledged: payload bytes that the server has said to have.
        in_flight_bytes: bytes of frames that the server has not answered for.
        skipped: whether the server was told of lost bytes.
        trouble: why the server takes nothing, should it take nothing.
        detached: whether nobody waits for it any more.
        queued, timer_at: for the connection: whether it is queued for sending, and when it will be looked at.
    """

    def __init__(self, log: Id, spool: Spool, offset: int, probe: bool, listener: Listener) -> None:
        """Send `spool` from payload byte `offset` on; with `probe`, from where the server says."""
        self.log = log
        self.acknowledged = offset
        self.in_flight_bytes = 0
        self.skipped = False
        self.trouble = "no answer in time"
        self.detached = False
        self.queued = False
        self.timer_at = NEVER
        self._spool = spool
        self._sent = offset
        self._listener = listener
        self._probe = probe
        self._probing = False
        self._flights: deque[_Flight] = deque()
        self._answer_due = NEVER
        self._flush_seconds = FLUSH_INTERVAL_SECONDS
        self._gather_bytes = FLUSH_BYTES
        self._not_before = 0.0
        self._held_until = 0.0
        self._hold_seconds = FIRST_HOLD_SECONDS
        self._gaps_running = 0
        self._reading = threading.Lock()
        self._spool_listener: Callable[[], None] = self.silence  # before `listen`: none
        self._ended = threading.Event()
        self._error: Optional[Exception] = None

    def wait(self, seconds: float) -> bool:
        """Wait for the end; True when all is acknowledged and the spool is closed.

        Raises:
            Refused: the server will not have this log.
            SocketUnavailable: the connection is gone; what `acknowledged` does not count may have arrived or not.
            OSError: the spool cannot be read.
        """
        if not self._ended.wait(seconds):
            return False
        if self._error is not None:
            raise self._error
        return True

    @property
    def ended(self) -> bool:
        """Whether `wait` has its answer."""
        return self._ended.is_set()

    def fail(self, error: Exception) -> None:
        """End it."""
        if not self._ended.is_set():
            self._error = error
            self._ended.set()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, in whatever thread, when there is more to send than can wait for `due_at`."""

        def tell() -> None:
            pending = self._spool.end - self._sent
            if self._spool.closed or self._not_before == 0.0 or pending >= self._gather_bytes:
                listener()

        self._spool_listener = tell
        self._spool.listen(tell)

    def detach(self) -> None:
        """Leave the spool alone from now on, which somebody else will read, or close."""
        self.silence()
        with self._reading:
            self.detached = True

    def silence(self) -> None:
        """Call nobody any more."""
        self._spool.unlisten(self._spool_listener)

    def due_at(self, now: float) -> float:
        """When there is something to do, in monotonic seconds; at most `now`: at once. NEVER: not before news."""
        if self._probing:
            return self._answer_due
        if self._held_until > now:
            return self._held_until
        if self._probe:
            return now
        return min(self._send_at(now), self._answer_due)

    def _send_at(self, now: float) -> float:
        closed = self._spool.closed  # before the end, which it fixes
        pending = self._spool.end - self._sent
        if pending and (closed or pending >= self._gather_bytes):
            return now
        if pending and self._flights and self._not_before <= now:
            slow = now - self._flights[0].sent_at >= PROMPT_SECONDS
            return NEVER if slow else now  # the answer will say when
        if pending and self._not_before <= now:
            return now
        if self._not_before <= now:
            self._not_before = 0.0  # idle: the next byte goes at once
            return now if self._spool.end > self._sent else NEVER
        return self._not_before

    def next_frame(self, now: float, room_bytes: int) -> Optional[bytes]:
        """The frame to be sent now, in at most `room_bytes`; None where that is too little, or none is due.

        Raises:
            OSError: the spool cannot be read.
            SocketUnavailable: an answer is overdue.
        """
        if self._answer_due <= now:
            raise SocketUnavailable("no answer in time")
        if self.due_at(now) > now or room_bytes < MIN_ROOM_BYTES:
            return None
        if self._probe:
            self._probe, self._probing = False, True
            return self._fly(now, self._sent, encode_frame(self.log, 0, 0, b""))
        with self._reading:
            if self.detached:
                return None
            return self._next_output(now, min(room_bytes, MAX_OUTPUT_FRAME_BYTES) - FRAME_HEADER_BYTES)

    def _next_output(self, now: float, limit: int) -> bytes:
        batch = self._spool.read(self._sent, limit)
        fast = now < self._not_before and batch.payload >= self._gather_bytes
        self._gather_bytes = min(2 * batch.payload, MAX_OUTPUT_FRAME_BYTES) if fast else FLUSH_BYTES
        self._not_before = now + self._flush_seconds
        self._sent = batch.end
        self.skipped = self.skipped or batch.skip > 0
        return self._fly(now, batch.end, encode_frame(self.log, batch.offset, batch.skip, batch.body))

    def _fly(self, now: float, end: int, frame: bytes) -> bytes:
        if self._answer_due == NEVER:
            self._answer_due = now + ANSWER_SECONDS
        self._flights.append(_Flight(end, len(frame), now))
        self.in_flight_bytes += len(frame)
        return frame

    def received(self, offset: int, flush_ms: Any, now: float) -> None:
        """The server has `offset` payload bytes."""
        if isinstance(flush_ms, (int, float)) and flush_ms >= 0:
            self._flush_seconds = min(flush_ms / 1000, MAX_FLUSH_SECONDS)
            self._not_before = min(self._not_before, now + self._flush_seconds)
        if offset > self._spool.end:
            self.fail(Refused(0, "", f"after {self._spool.end} bytes the server says it has {offset}"))
        elif self._probing or offset > self.acknowledged:
            self._advance(offset, now)

    def _advance(self, offset: int, now: float) -> None:
        if offset > self.acknowledged:
            self._hold_seconds, self._gaps_running = FIRST_HOLD_SECONDS, 0
            self._listener.on_received()
        if self._probing:
            self._probing = False
            self._sent = offset
            self._land(NEVER)
        self.acknowledged = offset
        self._sent = max(self._sent, offset)
        self._spool.acknowledge(offset)
        self._land(offset)
        self._answer_due = now + ANSWER_SECONDS if self._flights else NEVER
        self.end_if_done()

    def end_if_done(self) -> None:
        """End where nothing is left to be said: also when the last acknowledgement came before the spool's close."""
        in_doubt = self._probe or self._probing or self._flights
        if not in_doubt and self._spool.closed and self.acknowledged == self._spool.end:
            self._ended.set()

    def _land(self, offset: float) -> None:
        while self._flights and self._flights[0].end <= offset:
            self.in_flight_bytes -= self._flights.popleft().size_bytes

    def refused(self, error: dict[str, Any], now: float) -> None:
        """The server has not taken a frame, and says why."""
        problem, detail = problem_name(error.get("problem")), str(error.get("detail") or "")[:500]
        status = int(_number(error.get("status")))
        if problem == "offset-gap":
            self._note_gap(error.get("offset"), now)
        elif problem in TRANSIENT_PROBLEMS or status in TRANSIENT_STATUSES or status >= 500:
            self.trouble = detail or problem
            self._listener.on_away(self.trouble)
            self._hold(now, _number(error.get("retry_after")))
        else:
            self.fail(Refused(status, problem, detail or problem or "refused"))

    def _note_gap(self, offset: Any, now: float) -> None:
        """Bytes are missing before a frame: lost by the server, or in a frame that it could not take just now.

        While a probe is under way these are the answers to frames that were sent before it.
        """
        if self._probe or self._probing:
            return
        self._gaps_running += 1
        if self._gaps_running > MAX_GAPS_RUNNING:
            self.fail(Refused(0, "", f"the server wants bytes from {offset} on, which it was offered"))
        elif self._gaps_running > 1:
            self._hold(now, 0.0)
        self._probe = True

    def _hold(self, now: float, asked_seconds: float) -> None:
        """Wait, then ask what the server has, and go on from there."""
        if self._held_until <= now:
            self._held_until = now + max(self._hold_seconds, min(asked_seconds, MAX_HOLD_ASKED_SECONDS))
            self._hold_seconds = min(2 * self._hold_seconds, MAX_HOLD_SECONDS)
        self._probe, self._probing, self._answer_due = True, False, NEVER


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
