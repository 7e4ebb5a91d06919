"""Insight inside a server: a thread that looks at what was stored, a moment after it was."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Any

from django.db import DataError, Error, IntegrityError, connections
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from logviewer.chunkstore import ChunkStoreError, NoSuchLog
from logviewer.insight.flood import WINDOW_SECONDS, Flood
from logviewer.insight.looking import MAX_LOOK_BYTES, Look, look_at, states_of, unfinished_looks, write_down
from logviewer.insight.patterns import patterns
from logviewer.live import grown
from logviewer.live.retries import Retries
from logviewer.live.store import chunk_store
from logviewer.models import LogFile, LogState

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.5
"""From the beginning of a round to the next at the least: what grows all the time is looked at twice a second."""

RESTS = 3
"""After a round that took long, this many times as long without one, so that a thousand logs leave time for others."""

LONGEST_DEFERRAL_SECONDS = 3.0
"""So long it steps back for a flood of output, once before each round; then it looks all the same."""

LEFTOVERS_SECONDS = 30.0
"""How often rows are looked through for logs that nobody in this process spoke of: after a crash, or an import."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
"""While the database does not answer."""

UNWRITABLE = (DataError, IntegrityError, ValueError)
"""What a database, or its driver, says to rows that it will not take, however often it is asked."""

BATCH_LOGS = 200
QUIET = timedelta(seconds=5)
"""What another process took in so lately, that process is about to look at itself. Not so at the start: it may be what
this one took in before it was killed."""


class BackgroundInsight:
    """One daemon thread: one log at a time, so that builds and viewers keep the machine."""

    def __init__(self, flood: Flood | None = None) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="insight", daemon=True)
        self._retries = Retries()
        self._leftovers_at = 0.0
        self._leftovers_below: int | None = None
        self._quiet = timedelta(0)
        self._is_behind = False
        self._flood = flood or Flood(lambda: chunk_store().appended.received_bytes)
        self._may_step_back = True

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
        self._is_behind = False
        ids = grown.logs.take(BATCH_LOGS)
        try:
            if ids:
                self._look_at(list(unfinished_looks().filter(pk__in=ids)))
        except BaseException:
            for log_id in ids:
                grown.logs.note(log_id)
            raise
        if time.monotonic() >= self._leftovers_at and not self._stop.is_set():
            self._look_at(self._take_leftovers())

    def step_back(self) -> None:
        """Wait while there is a flood; where it lasts, the round that follows is not cut short by it."""
        until = time.monotonic() + LONGEST_DEFERRAL_SECONDS
        while (is_flooded := self._flood.is_on()) and time.monotonic() < until:
            if self._stop.wait(WINDOW_SECONDS):
                break
        self._may_step_back = not is_flooded

    def leftovers(self) -> QuerySet[LogFile]:
        """The next logs, from the newest to the oldest, that have more than was looked at."""
        before = timezone.now() - self._quiet
        logs = unfinished_looks().filter(
            Q(state=LogState.FINISHED) & (Q(finished_at__lt=before) | Q(finished_at__isnull=True))
            | ~Q(state=LogState.FINISHED) & Q(size__gt=F("looked_bytes"), written_at__lt=before)
        )
        if self._leftovers_below is not None:
            logs = logs.filter(pk__lt=self._leftovers_below)
        return logs.order_by("-looked_through", "-pk")[:BATCH_LOGS]  # as `log_to_look_at` has them

    def _take_leftovers(self) -> list[LogFile]:
        """Those logs; the next call goes on behind them, or, where they were the last, begins anew in a while."""
        batch = list(self.leftovers())
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
                self._write(looks)
                looks, looked_bytes = [], 0
        self._write(looks)

    def _write(self, looks: list[Look]) -> None:
        """Write down what was found; of a log that the database refuses, nothing, of the others all."""
        try:
            write_down(looks)
        except UNWRITABLE as error:
            if len(looks) == 1:
                self._note_failure(looks[0].log, error)
                return
            for look in looks:
                self._write([look])
        else:
            for look in looks:
                self._retries.note_success(look.log.pk)

    def _try(self, log: LogFile, state: dict[str, Any] | None) -> Look | None:
        try:
            look = look_at(log, state, self._is_to_stop)
        except NoSuchLog:
            return None  # deleted; if it was not, verification says so
        except Exception as error:  # whatever is in one log, the others are looked at
            self._note_failure(log, error)
            return None
        if look.has_more:
            self._is_behind = self._is_behind or look.is_finished  # who writes much needs the machine more
            grown.logs.note(log.pk)
        return look

    def _is_to_stop(self) -> bool:
        """Whether to leave the rest of a log for another round."""
        return self._stop.is_set() or (self._may_step_back and self._flood.is_on())

    def _note_failure(self, log: LogFile, error: Exception) -> None:
        """Leave the log alone for a while; the trace of what nobody foresaw is told as well."""
        pause_seconds = self._retries.note_failure(log.pk)
        trace = None if isinstance(error, (ChunkStoreError, OSError)) else error
        logger.warning("log %s is not looked at: %s; tried again in %g s", log.pk, error, pause_seconds, exc_info=trace)

    def _run(self) -> None:
        patterns()  # now, as the server starts: that holds up whatever else runs
        pause_seconds = 0.0
        while not self._stop.is_set():
            self.step_back()
            began = time.monotonic()
            try:
                self.do_round()
                pause_seconds = 0.0
            except Exception as error:
                if not threading.main_thread().is_alive():  # the interpreter ends
                    return
                pause_seconds = min(max(FIRST_PAUSE_SECONDS, 2 * pause_seconds), LONGEST_PAUSE_SECONDS)
                self._leftovers_at, self._leftovers_below = 0.0, None
                if isinstance(error, Error):
                    logger.warning("insight waits %g s for the database: %s", pause_seconds, error)
                else:
                    logger.exception("insight failed, and goes on in %g s", pause_seconds)
            self._stop.wait(max(pause_seconds, self._rest_seconds(time.monotonic() - began)))
            idle_seconds = self._leftovers_at - time.monotonic()
            if idle_seconds > 0 and grown.logs.is_empty():
                connections.close_all()  # an idle thread holds none
                grown.logs.wait(idle_seconds)
        connections.close_all()

    def _rest_seconds(self, took_seconds: float) -> float:
        """How long to leave the machine to others; as long as the round took where a finished log has more."""
        if self._is_behind or self._leftovers_below is not None:
            return took_seconds
        return max(ROUND_SECONDS - took_seconds, RESTS * took_seconds)
