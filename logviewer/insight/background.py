"""Insight inside a server: a thread that looks at what was stored, a moment after it was."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Any

from django.db import Error, connections
from django.db.models import F, Q
from django.utils import timezone

from logviewer.chunkstore import ChunkStoreError, NoSuchLog
from logviewer.insight.looking import MAX_LOOK_BYTES, Look, look_at, states_of, unfinished_looks, write_down
from logviewer.live import grown
from logviewer.live.retries import Retries
from logviewer.models import LogFile, LogState

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.5
"""From the beginning of a round to the next at the least: what grows all the time is looked at twice a second."""

LEFTOVERS_SECONDS = 30.0
"""How often rows are looked through for logs that nobody in this process spoke of: after a crash, or an import."""

LONGEST_PAUSE_SECONDS = 60.0
"""While the database does not answer."""

BATCH_LOGS = 100
QUIET = timedelta(seconds=5)
"""What another process took in so lately, that process is about to look at itself. Not so at the start: it may be what
this one took in before it was killed."""


class BackgroundInsight:
    """One daemon thread: one log at a time, so that builds and viewers keep the machine."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="insight", daemon=True)
        self._retries = Retries()
        self._leftovers_at = 0.0
        self._leftovers_below: int | None = None
        self._quiet = timedelta(0)

    def start(self) -> None:
        """Begin."""
        grown.logs.is_asked_for = True
        self._thread.start()

    def stop(self) -> None:
        """End after the piece that is being looked at; what was found so far is written down."""
        self._stop.set()
        grown.logs.wake()
        self._thread.join()

    def do_round(self) -> None:
        """Look at what grew, then at some of what was left over."""
        ids = grown.logs.take(BATCH_LOGS)
        if ids:
            self._look_at(list(unfinished_looks().filter(pk__in=ids)))
        if time.monotonic() >= self._leftovers_at and not self._stop.is_set():
            self._look_at(self._leftovers())

    def _leftovers(self) -> list[LogFile]:
        """The next logs, from the newest to the oldest, that have more than was looked at."""
        before = timezone.now() - self._quiet
        logs = unfinished_looks().filter(
            Q(state=LogState.FINISHED) & (Q(finished_at__lt=before) | Q(finished_at__isnull=True))
            | ~Q(state=LogState.FINISHED) & Q(size__gt=F("looked_bytes"), written_at__lt=before)
        )
        if self._leftovers_below is not None:
            logs = logs.filter(pk__lt=self._leftovers_below)
        batch = list(logs.order_by("-pk")[:BATCH_LOGS])
        if len(batch) == BATCH_LOGS:
            self._leftovers_below = batch[-1].pk
        else:
            self._leftovers_below = None
            self._quiet = QUIET
            self._leftovers_at = time.monotonic() + LEFTOVERS_SECONDS
        return batch

    def _look_at(self, logs: list[LogFile]) -> None:
        """Look at these logs, and write down what was found, before much of it has gathered."""
        due = [log for log in logs if self._retries.is_due(log.pk)]
        states = states_of(due) if due else {}
        looks: list[Look] = []
        looked_bytes = 0
        for log in due:
            if self._stop.is_set():
                break
            look = self._try(log, states.get(log.pk))
            if look is None:
                continue
            looks.append(look)
            looked_bytes += abs(look.stop - log.looked_bytes)
            if looked_bytes >= MAX_LOOK_BYTES:
                write_down(looks)
                looks, looked_bytes = [], 0
        write_down(looks)

    def _try(self, log: LogFile, state: dict[str, Any] | None) -> Look | None:
        try:
            look = look_at(log, state, self._stop.is_set)
        except NoSuchLog:
            return None  # deleted; if it was not, verification says so
        except (ChunkStoreError, OSError) as error:
            pause_seconds = self._retries.note_failure(log.pk)
            logger.warning("log %s is not looked at: %s; tried again in %g s", log.pk, error, pause_seconds)
            return None
        self._retries.note_success(log.pk)
        if look.has_more:
            grown.logs.note(log.pk)
        return look

    def _run(self) -> None:
        pause_seconds = 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.do_round()
                pause_seconds = 0.0
            except Exception as error:
                if not threading.main_thread().is_alive():  # the interpreter ends
                    return
                pause_seconds = min(max(1.0, 2 * pause_seconds), LONGEST_PAUSE_SECONDS)
                self._leftovers_at = 0.0  # what was in hand is found again by its rows
                if isinstance(error, Error):
                    logger.warning("insight waits %g s for the database: %s", pause_seconds, error)
                else:
                    logger.exception("insight failed, and goes on in %g s", pause_seconds)
            self._stop.wait(max(pause_seconds, ROUND_SECONDS - (time.monotonic() - began)))
            idle_seconds = self._leftovers_at - time.monotonic()
            if idle_seconds > 0 and grown.logs.is_empty():
                connections.close_all()  # an idle thread holds none
                grown.logs.wait(idle_seconds)
        connections.close_all()
