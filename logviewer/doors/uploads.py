"""Bodies of chunks on their way into the store, for the doors that take them: one at once over HTTP, or frames."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from logviewer.chunkstore import LOCK_WAIT_SECONDS, Appended, Entry, Limits
from logviewer.intake.limits import log_limits
from logviewer.intake.output import append_output
from logviewer.models import LogFile

FIRST_PAUSE_SECONDS = 0.001
LONGEST_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """A log that may be written to: what is kept of its row while a writer sends."""

    log_id: int
    key: str
    limits: Limits

    @classmethod
    def of(cls, log: LogFile) -> Target:
        """The target for a log that was fetched with all that stands above it."""
        return cls(log.pk, log.key, log_limits(log))

    def append_at_once(self, entries: Sequence[Entry], offset: int | None, skip: int) -> Appended:
        """Append where no other writer is at the log this moment; for a writing thread.

        Raises:
            LogLocked: another one is: try again after a pause (`LockWait`).
            ChunkStoreError: nothing was stored.
        """
        return append_output(
            self.log_id, self.key, entries, offset=offset, skip=skip, lock_wait_seconds=0, limits=self.limits
        )


class LockWait:
    """How long a writer waits for another one's lock: on the event loop, not on one of the writing threads."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + LOCK_WAIT_SECONDS
        self._pause_seconds = FIRST_PAUSE_SECONDS

    def next_pause(self) -> float | None:
        """Seconds until the next attempt, longer each time; None when the other one held it for LOCK_WAIT_SECONDS."""
        if time.monotonic() >= self._deadline:
            return None
        pause_seconds = self._pause_seconds
        self._pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        return pause_seconds
