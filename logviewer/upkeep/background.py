"""Upkeep all the time: looks every few seconds for what there is to do, in a server's thread or in its own process."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connections

from logviewer.upkeep.scheduler import Scheduler

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
"""How long a finished log stays plain at most, if nothing else waits. The queries cost indexes with no rows in them."""

LONGEST_POLL_SECONDS = 60.0
"""While the database does not answer."""


class BackgroundUpkeep:
    """One thread: one job and one log at a time, so that builds and viewers keep the machine."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="upkeep", daemon=True)
        self._scheduler = Scheduler(self._stop.is_set)

    def start(self) -> None:
        """Begin in a thread; the first look is a moment later, when the server is up."""
        self._thread.start()

    def stop(self) -> None:
        """End after the log that is being worked at."""
        self._stop.set()
        self._thread.join()

    def tell_to_stop(self) -> None:
        """Have `run` return after the log that is being worked at; may be called by a signal's handler."""
        self._stop.set()

    def do_round(self) -> None:
        """Do what there is to do now."""
        self._scheduler.do_round()

    def run(self) -> None:
        """Go round until told to stop; a database that is away is asked again after pauses that grow."""
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
