"""When those who watch a log are told that it grew, and how that leaves the event loop to others.

A flush looks where a log ends and calls each listener once. However many are due, a turn of the event loop serves at
most BATCH_LISTENERS or takes BATCH_SECONDS, and logs take turns: measured, a thousand viewers of one log then hold up
nobody for more than a few milliseconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from enum import Enum

from logviewer.chunkstore import LogEnd

logger = logging.getLogger(__name__)

MIN_INTERVAL_SECONDS = 0.02
MAX_INTERVAL_SECONDS = 0.1
SECONDS_PER_LISTENER = 0.0001
"""1000 viewers are served ten times a second, up to 200 of them fifty times."""

FLUSHES_PER_INTERVAL = 4
"""A flush that takes long is followed by three times as long without one."""

BATCH_LISTENERS = 50
"""Listeners in one turn of the loop: one that has to wake a task costs some 100 µs in the next turn."""

BATCH_SECONDS = 0.005
"""Nor does a turn begin another listener after this, as one that writes by itself costs 20 µs, or ten times that."""

Listener = Callable[[], None]


def flush_interval(listeners: int, flush_seconds: float) -> float:
    """Seconds from the beginning of a flush to that of the next one of the same log: from 20 to 100 ms.

    0.1 ms for each listener, or four times as long as the last flush took, whichever is longer, within those bounds.
    A flush is measured from the moment it was due until its last listener was served, so that a loop that is behind
    with whatever it may be is flushed on less often. A first line after silence finds the interval over already, and
    is passed on at once.
    """
    wanted = max(listeners * SECONDS_PER_LISTENER, flush_seconds * FLUSHES_PER_INTERVAL)
    return min(MAX_INTERVAL_SECONDS, max(MIN_INTERVAL_SECONDS, wanted))


class State(Enum):
    """What an audience is about."""

    IDLE = "idle"
    DUE = "due"
    BEING_TOLD = "being told"
    BEING_TOLD_AND_DUE = "being told, and due again"


class Audience:
    """Those who are told of one log's end at one pace. Joining and leaving cost O(1).

    Args:
        look: finds out where the log ends now.
        interval_seconds: between two flushes; None has it follow from `flush_interval`.
    """

    def __init__(self, look: Callable[[], LogEnd | None], interval_seconds: float | None = None) -> None:
        self.look = look
        self.listeners: set[Listener] = set()
        self.told: LogEnd | None = None
        self.state = State.IDLE
        self.due = 0.0
        self._interval_seconds = interval_seconds
        self._began_at = 0.0
        self._took_seconds = 0.0
        self._left: list[Listener] = []

    def is_idle(self) -> bool:
        """Whether no flush is due or under way."""
        return self.state is State.IDLE

    def earliest(self) -> float:
        """The loop's time from which the next flush may begin."""
        interval = self._interval_seconds
        if interval is None:
            interval = flush_interval(len(self.listeners), self._took_seconds)
        return self._began_at + interval

    def begin(self) -> None:
        """Begin the flush that is due; who joins from now on looks by itself, who leaves is not called."""
        self.state = State.BEING_TOLD
        self._began_at = self.due
        end = self.look() if self.listeners else None
        if end is not None and end != self.told:
            self.told = end
            self._left = list(self.listeners)

    def tell_next(self) -> bool:
        """Call one more listener; False where all have been called."""
        if not self._left:
            return False
        listener = self._left.pop()
        if listener in self.listeners:
            listener()
        return True

    def end(self, now: float) -> bool:
        """End the flush; says whether another is due already."""
        again = self.state is State.BEING_TOLD_AND_DUE
        self.state = State.IDLE
        self._took_seconds = now - self._began_at
        return again


class Flusher:
    """Tells the audiences of one event loop, in turns. All methods belong to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[Audience] = deque()
        self._at_work = False

    def want(self, audience: Audience) -> None:
        """The log may have grown: tell the audience as soon as its interval allows."""
        if audience.state is State.BEING_TOLD:
            audience.state = State.BEING_TOLD_AND_DUE
        if audience.state is not State.IDLE or not audience.listeners:
            return
        audience.state = State.DUE
        audience.due = max(self._loop.time(), audience.earliest())
        if audience.due > self._loop.time():
            self._loop.call_at(audience.due, self._enqueue, audience)
        else:
            self._enqueue(audience)

    def _enqueue(self, audience: Audience) -> None:
        self._queue.append(audience)
        if not self._at_work:
            self._at_work = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Serve a batch; while there is more, give the loop a turn and go on."""
        give_way_at = self._loop.time() + BATCH_SECONDS
        for _ in range(BATCH_LISTENERS):
            if not self._queue or self._loop.time() >= give_way_at:
                break
            if not self._tell(self._queue[0]):
                # In the next turn the tasks that were woken have run.
                self._loop.call_soon(self._end, self._queue.popleft())
        self._at_work = bool(self._queue)
        if self._at_work:
            self._queue.rotate(-1)
            self._loop.call_soon(self._work)

    def _tell(self, audience: Audience) -> bool:
        """Serve one more listener of the audience; False where there is none."""
        if audience.state is State.DUE:
            audience.begin()
        try:
            return audience.tell_next()
        except Exception:
            logger.exception("a listener of a log failed")
            return True

    def _end(self, audience: Audience) -> None:
        if audience.end(self._loop.time()):
            self.want(audience)
