"""Whether the clock on the wall went on as this process's own: after it was set, age is not believed for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

JUMP_SECONDS = 60.0
"""More than any clock is slewed, or a look is late."""

DISTRUST_SECONDS = 3600.0
"""A wrong time is mostly put right sooner, by whatever set it."""


class Steadiness:
    """Compares the two clocks at each `note`; a machine that slept counts as one whose clock was set."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._difference = wall() - monotonic()
        self._jumped_at: float | None = None

    def note(self) -> bool:
        """Look at the clocks; say whether they have gone together for long enough."""
        now = self._monotonic()
        difference = self._wall() - now
        if abs(difference - self._difference) > JUMP_SECONDS:
            self._jumped_at = now
        self._difference = difference
        return self._jumped_at is None or now - self._jumped_at > DISTRUST_SECONDS
