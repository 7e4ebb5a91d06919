"""Upkeep inside a server: a thread that looks every few seconds for what there is to do."""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error, connections

from logviewer.live.retries import Retries
from logviewer.upkeep.moving import Mover
from logviewer.upkeep.redacting import redact_waiting
from logviewer.upkeep.sealing import seal_waiting
from logviewer.upkeep.silence import give_up_silent, round_seconds
from logviewer.upkeep.survey import Surveyor
from logviewer.upkeep.unrecorded import record_finishes

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""How long a finished log stays plain at most, if nothing else waits. The query costs an index with no rows in it."""

LONGEST_POLL_SECONDS = 60.0
"""While the database does not answer."""

RECORD_SECONDS = 30.0
"""How often a part of the open logs is looked at for finishes that the database has not heard of."""


class BackgroundUpkeep:
    """One daemon thread: one log at a time, so that builds and viewers keep the machine."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._retries = Retries()
        self._mover = Mover()
        self._surveyor = Surveyor()
        self._looked_at_id = 0
        self._record_at = time.monotonic() + RECORD_SECONDS
        self._silence_retries = Retries()
        self._redaction_retries = Retries()
        self._silence_at = 0.0

    def start(self) -> None:
        """Begin; the first look is a moment later, when the server is up."""
        self._thread.start()

    def stop(self) -> None:
        """End after the log that is being sealed."""
        self._stop.set()
        self._thread.join()

    def do_round(self) -> None:
        """Do what there is to do now."""
        if time.monotonic() >= self._record_at:
            self._looked_at_id = record_finishes(self._looked_at_id)
            self._record_at = time.monotonic() + RECORD_SECONDS
        if time.monotonic() >= self._silence_at:
            give_up_silent(self._silence_retries, self._stop.is_set)
            self._silence_at = time.monotonic() + round_seconds()
        redact_waiting(self._redaction_retries, stopped=self._stop.is_set)
        seal_waiting(self._retries, threads=1, stopped=self._stop.is_set)
        if self._mover.is_due:
            self._mover.run(self._stop.is_set)
        self._surveyor.run()

    def _run(self) -> None:
        pause_seconds = POLL_SECONDS
        while not self._stop.wait(pause_seconds):
            try:
                self.do_round()
                pause_seconds = POLL_SECONDS
            except Exception as error:
                if not threading.main_thread().is_alive():  # the interpreter ends, and starts no threads any more
                    return
                pause_seconds = min(2 * pause_seconds, LONGEST_POLL_SECONDS)
                if isinstance(error, Error):
                    logger.warning("upkeep waits %g s for the database: %s", pause_seconds, error)
                else:
                    logger.exception("upkeep failed, and goes on in %g s", pause_seconds)
            finally:
                connections.close_all()  # an idle thread holds none
