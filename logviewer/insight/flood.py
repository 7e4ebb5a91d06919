"""Whether output comes in so fast that whoever sends it needs the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

FLOOD_BYTES_PER_SECOND = 32 * 1024 * 1024
"""Looking at as much takes a seventh of a core; a build that prints more is waiting for its printing."""

WINDOW_SECONDS = 0.05


class Flood:
    """Measures, whenever it is asked, what came since it was asked before, at least WINDOW_SECONDS ago."""

    def __init__(self, received_bytes: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._received_bytes = received_bytes
        self._clock = clock
        self._since, self._before = clock(), received_bytes()
        self._is_on = False

    def is_on(self) -> bool:
        """Whether the last window brought more than FLOOD_BYTES_PER_SECOND."""
        now = self._clock()
        seconds = now - self._since
        if seconds >= WINDOW_SECONDS:
            received = self._received_bytes()
            self._is_on = received - self._before > FLOOD_BYTES_PER_SECOND * seconds
            self._since, self._before = now, received
        return self._is_on
