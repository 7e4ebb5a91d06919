"""How late the event loop is: what keeps it busy keeps all viewers and writers of the process waiting."""

from __future__ import annotations

import asyncio

from prometheus_client import Histogram

LOOK_SECONDS = 0.25
BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

lateness = Histogram(
    "buildlogs_event_loop_lag_seconds",
    f"How much later than asked for the event loop called a timer, looked at every {LOOK_SECONDS} s.",
    buckets=BUCKETS,
    registry=None,
)


class LoopLag:
    """Has a timer called again and again on the first loop it sees, and writes down how late it was."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self) -> None:
        """Begin, on the running loop, unless it is watched already."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._look_later(loop)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + LOOK_SECONDS
        loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if loop is self._loop:
            self._histogram.observe(max(0.0, loop.time() - due))
            self._look_later(loop)


loop_lag = LoopLag(lateness)
