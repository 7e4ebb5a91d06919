"""Moving sealed logs to the other store: which ones, in what order, and when to try again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from logviewer.chunkstore import ArchiveAway, ChunkStoreError, LogLocked, NoSuchLog
from logviewer.live.retries import Retries
from logviewer.live.store import chunk_store
from logviewer.models import LogFile, LogForm
from logviewer.upkeep.batches import in_batches

logger = logging.getLogger(__name__)

PAGE_LOGS = 100
"""Rows fetched at once."""

FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 600.0
"""A store that is away is tried again after pauses that double, up to this."""


@dataclass
class Moved:
    """What a round came to, in logs; `away` is why it ended early, where the other store did not answer."""

    moved: int = 0
    failed: int = 0
    away: str = ""


def move_log(log: LogFile) -> None:
    """Move one sealed log and write into its row where it lies now; errors are those of ChunkStore.move.

    Where a redaction came between the two, its row stands, which says sealed: the log came back here, or is found again
    though it is there, which moves nothing.
    """
    chunk_store().move(log.key)
    as_it_was = LogFile.objects.filter(pk=log.pk, form=LogForm.SEALED, redactions=log.redactions)
    as_it_was.update(form=LogForm.ARCHIVED)


class Mover:
    """Moves sealed logs, the oldest first, in rounds. Any number of processes may: a log's lock keeps them apart."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause_seconds = 0.0
        self._next_round = 0.0
        self._retries = Retries(clock)

    @property
    def is_due(self) -> bool:
        """Whether there is another store, and a round may begin: not while the pause after an outage lasts."""
        return chunk_store().archive is not None and self._clock() >= self._next_round

    @property
    def has_work(self) -> bool:
        """Whether a round may begin, and there is a log for it."""
        return self.is_due and next(self._sealed_logs(), None) is not None

    def run(self, stopping: Callable[[], bool] = lambda: False) -> Moved:
        """Move all that is sealed; ends early where `stopping()` says so, or where the store is away.

        Nothing is lost in either case: a log that was not moved lies here as before, and its row says so.
        """
        found = Moved()
        for log in self._sealed_logs():
            if stopping():
                return found
            try:
                move_log(log)
            except ArchiveAway as away:
                self._pause(str(away))
                found.away = str(away)
                return found
            except LogLocked:
                continue  # another process is at it
            except NoSuchLog:
                if LogFile.objects.filter(pk=log.pk).exists():  # else it was deleted meanwhile
                    self._failed(log, "it is neither here nor in the other store", found)
            except (ChunkStoreError, OSError) as error:
                self._failed(log, str(error), found)
            else:
                self._retries.note_success(log.pk)
                found.moved += 1
        self._pause_seconds = 0.0
        return found

    def _sealed_logs(self) -> Iterator[LogFile]:
        """The sealed logs in order of their ids, without those that failed lately."""
        logs = LogFile.objects.filter(form=LogForm.SEALED, storage_key__isnull=False)
        return (log for log in in_batches(logs, PAGE_LOGS) if self._retries.is_due(log.pk))

    def _pause(self, why: str) -> None:
        """Wait before the next round, longer than before the last one."""
        self._pause_seconds = min(max(FIRST_PAUSE_SECONDS, 2 * self._pause_seconds), LONGEST_PAUSE_SECONDS)
        self._next_round = self._clock() + self._pause_seconds
        logger.warning("no logs are moved for %g s: %s", self._pause_seconds, why)

    def _failed(self, log: LogFile, why: str, found: Moved) -> None:
        """Leave alone for a while a log that cannot be moved for a reason of its own."""
        pause_seconds = self._retries.note_failure(log.pk)
        logger.error("log %s is not moved: %s; tried again in %g s", log.pk, why, pause_seconds)
        found.failed += 1
