"""When what failed may be tried again: one broken log must neither stop the others nor be tried without end."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 6 * 3600.0
MAX_REMEMBERED = 10_000
"""Of more failures than that the oldest are tried again at once; nobody has so many broken logs."""


class Failure(NamedTuple):
    """How long the pause after the last failure is, and when (of the clock) it ends."""

    pause_seconds: float
    due_at: float


class Retries:
    """Remembers what failed in this process. After the first failure a minute's pause, then twice as long each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[int, Failure] = OrderedDict()

    def is_due(self, key: int) -> bool:
        """Say whether to try now."""
        failure = self._failures.get(key)
        return failure is None or failure.due_at <= self._clock()

    def note_failure(self, key: int) -> float:
        """Return how many seconds it will be left alone."""
        last = self._failures.pop(key, None)
        pause_seconds = min(2 * last.pause_seconds, LONGEST_PAUSE_SECONDS) if last else FIRST_PAUSE_SECONDS
        self._failures[key] = Failure(pause_seconds, self._clock() + pause_seconds)
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)
        return pause_seconds

    def note_success(self, key: int) -> None:
        """Forget what failed before."""
        self._failures.pop(key, None)
