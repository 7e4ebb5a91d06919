"""Since when somebody could hear the writers: silence counts from then on at the earliest.

Every server process notes that it is there, some times in what counts as silence, through the same database that
notes signs of life. So time in which no process ran does not count, nor such in which the machine slept, its clock
jumped, or the database took no writes (docs/adr/0014).
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error, connections
from django.utils import timezone

from logviewer.models import ListeningTime

logger = logging.getLogger(__name__)

MAX_BEAT_SECONDS = 15.0
BEATS_IN_SILENCE = 8
"""How often a process says that it is there in what counts as silence, where that is short."""

MAX_MISSED_BEATS = 4
KEPT = timedelta(days=1)
"""Times that ended before are of no use to anybody."""


def beat_seconds() -> float:
    """How long a server waits before it says again that it is there."""
    return min(MAX_BEAT_SECONDS, settings.ABANDON_AFTER_SECONDS / BEATS_IN_SILENCE)


def longest_gap() -> timedelta:
    """How old the last word of a server may be that is taken to be there still."""
    return timedelta(seconds=MAX_MISSED_BEATS * beat_seconds())


def listening_since(now: datetime) -> datetime | None:
    """Since when, without interruption, at least one server has been there; None where none is there now.

    Times of several processes that overlap are one: who restarts them one after the other does not interrupt it.
    """
    since: datetime | None = None
    reach = now - longest_gap()
    for begin, end in ListeningTime.objects.order_by("-until").values_list("since", "until"):
        if end < reach:
            break
        since = begin if since is None else min(since, begin)
        reach = min(reach, begin)
    return since


class Listener:
    """Notes, while the process runs, that it is there: `start` has a daemon thread do it."""

    def __init__(self) -> None:
        self._time: ListeningTime | None = None

    def start(self) -> None:
        """Begin at once."""
        threading.Thread(target=self._run, name="listening", daemon=True).start()

    def beat(self, now: datetime) -> None:
        """Say that the process is there; after an interruption, that it is there again."""
        time = self._time
        if (
            time is not None
            and time.until <= now <= time.until + longest_gap()
            and ListeningTime.objects.filter(pk=time.pk).update(until=now)
        ):
            time.until = now
            return
        self._time = ListeningTime.objects.create(since=now, until=now)
        ListeningTime.objects.filter(until__lt=now - KEPT).delete()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.beat(timezone.now())
            except Error as error:
                logger.warning("it could not be noted that the server is there: %s", error)
            finally:
                connections.close_all()  # an idle thread holds none
            if pause.wait(beat_seconds()) or not threading.main_thread().is_alive():
                return
