"""One clock for time stamps and for deadlines."""

from __future__ import annotations

import time

_WALL_AT_START_NS = time.time_ns() - time.monotonic_ns()


def now_us() -> int:
    """Microseconds since the epoch, UTC, that never go backwards: the wall clock at the start, moved on steadily."""
    return (_WALL_AT_START_NS + time.monotonic_ns()) // 1000
