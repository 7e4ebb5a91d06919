"""Keeping the database's copy of an open log's counters near the truth, at most once a second a log.

Written behind the acknowledgement, never before it: a slow database must not slow a build.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from functools import partial

from django.utils import timezone

from logviewer.chunkstore import LogEnd
from logviewer.intake.heartbeat import note_output
from logviewer.live.write_behind import write_behind
from logviewer.models import LogFile, LogState

WRITE_INTERVAL_SECONDS = 1.0
MAX_REMEMBERED_LOGS = 10_000

_written_at: OrderedDict[int, float] = OrderedDict()
_lock = threading.Lock()


def note(log_id: int, end: LogEnd) -> None:
    """Have the row follow the store, if it has not for a second; called for all output (`output.append_output`)."""
    if _due(log_id):
        write_behind.put(("counters of log", log_id), partial(write, log_id, end))


def _due(log_id: int) -> bool:
    """Whether the row was not written for a second; says so to one caller only."""
    now = time.monotonic()
    with _lock:
        if now - _written_at.get(log_id, 0.0) < WRITE_INTERVAL_SECONDS:
            return False
        _written_at[log_id] = now
        _written_at.move_to_end(log_id)
        while len(_written_at) > MAX_REMEMBERED_LOGS:
            _written_at.popitem(last=False)
        return True


def write(log_id: int, end: LogEnd) -> None:
    """Write the counters into the row of an open log, and note that its build's writer lives."""
    changed = (
        LogFile.objects.filter(pk=log_id)
        .exclude(state=LogState.FINISHED)
        .update(size=end.size, lines=end.lines, received=end.received, omitted=end.omitted, written_at=timezone.now())
    )
    if changed:
        note_output(log_id)
