"""Keeping the database's copy of open logs' counters near the truth, at most once a second a log.

Written behind the acknowledgement, never before it: a slow database must not slow a build. What is due at once is
written at once, in one statement for all: a row by itself costs 0.5 ms, and a thousand logs are due each second.
What comes within the second is written at its end, so that the row of a log that falls silent has all of it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping

from django.db import connection, transaction
from django.utils import timezone

from logviewer.chunkstore import LogEnd
from logviewer.intake.heartbeat import note_output
from logviewer.live.write_behind import write_behind
from logviewer.models import LogFile, LogState

WRITE_INTERVAL_SECONDS = 1.0
MAX_REMEMBERED_LOGS = 10_000
LATE_ROWS = 100
"""In one transaction of those that come all at once: a finish waits for its row, and on SQLite for all of them."""

_written_at: OrderedDict[int, float] = OrderedDict()
_waiting: dict[int, LogEnd] = {}
_late: dict[int, LogEnd] = {}  # what came within a second of the row's being written, the newest of each log
_lock = threading.Lock()


def note(log_id: int, end: LogEnd) -> None:
    """Have the row follow the store, at once if it has not for a second; called for all output (`append_output`)."""
    if _due(log_id, end):
        write_behind.put("counters of open logs", _write_waiting)


def _due(log_id: int, end: LogEnd) -> bool:
    """Whether the row was not written for a second; says so to one caller only, whose news then waits."""
    now = time.monotonic()
    with _lock:
        if now - _written_at.get(log_id, 0.0) < WRITE_INTERVAL_SECONDS:
            _late[log_id] = end
            return False
        _late.pop(log_id, None)
        _written_at[log_id] = now
        _written_at.move_to_end(log_id)
        while len(_written_at) > MAX_REMEMBERED_LOGS:
            _written_at.popitem(last=False)
        _waiting[log_id] = end
        return True


def _write_waiting() -> None:
    with _lock:
        ends = dict(_waiting)
        _waiting.clear()
    _write_late_soon()
    write(ends)


def _write_late_soon() -> None:
    write_behind.put_later("late counters of open logs", _write_late, WRITE_INTERVAL_SECONDS)


def _write_late() -> None:
    """Write what came since the rows were written, and look again while something may still come that is not due."""
    now = time.monotonic()
    with _lock:
        ends = dict(_late)
        _late.clear()
        _written_at.update(dict.fromkeys(ends, now))
        newest = next(reversed(_written_at.values()), 0.0)
    if ends or now - newest < WRITE_INTERVAL_SECONDS:
        _write_late_soon()
    late = list(ends.items())
    for start in range(0, len(late), LATE_ROWS):
        write(dict(late[start : start + LATE_ROWS]), only_forward=True)


def write(ends: Mapping[int, LogEnd], *, only_forward: bool = False) -> None:
    """Note that the writers of these logs' builds live, then write the counters into the rows of those that are open.

    `only_forward` leaves rows that say more was received: meanwhile another process may have written what came after.
    Without it the row follows a log that a loss of power made shorter, too.

    In this order: upkeep ends a build that was given up unless more was received than its logs' rows say (`silence`).
    """
    note_output(list(ends))
    quote = connection.ops.quote_name
    values = ", ".join(f"{quote(name)} = %s" for name in ("size", "lines", "received", "omitted", "written_at"))
    statement = (
        f"UPDATE {quote(LogFile._meta.db_table)} SET {values} "  # noqa: S608 - names of our own
        f"WHERE {quote('id')} = %s AND {quote('state')} <> %s"
    )
    if only_forward:
        statement += f" AND {quote('received')} < %s"
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    rows = [
        (end.size, end.lines, end.received, end.omitted, now, log_id, LogState.FINISHED.value)
        + ((end.received,) if only_forward else ())
        for log_id, end in sorted(ends.items())  # as all who lock rows of several logs: or they block each other
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(statement, rows)
