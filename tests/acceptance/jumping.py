"""The application under a clock that somebody sets: `daphne tests.acceptance.jumping:application`.

The file `clock` in the data directory says by how many seconds the wall clock is off. The monotonic clock is as it is:
that is what makes it one.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

FILE = Path(os.environ["BUILDLOGS_DATA_DIR"]) / "clock"
_time, _time_ns = time.time, time.time_ns


def off_by_seconds() -> float:
    try:
        return float(FILE.read_text() or "0")
    except FileNotFoundError:
        return 0.0


time.time = lambda: _time() + off_by_seconds()
time.time_ns = lambda: _time_ns() + int(off_by_seconds() * 1e9)

from django.utils import timezone  # noqa: E402

_now = timezone.now


def now() -> datetime:
    return _now() + timedelta(seconds=off_by_seconds())


timezone.now = now

from buildlogs.asgi import application  # noqa: E402, F401  # what the server serves
