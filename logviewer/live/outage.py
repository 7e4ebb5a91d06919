"""That the other store is away, remembered for a moment: then not everyone has to find it out by waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from logviewer.chunkstore import ArchiveAway, ChunkStoreError
from logviewer.live.threads import Crowded, waiting_elsewhere

logger = logging.getLogger(__name__)

AWAY_SECONDS = 5.0
"""How long nobody asks a store again that did not answer: half of what its readers are told to wait."""

PROBE_SECONDS = 30.0
"""How long the others are not kept waiting by the one who asks again; longer than that takes."""


class Outage:
    """Stands around every call of one store; `where` names the store. Thread-safe.

    `explain` turns the store's own errors into words, and says whether they mean that nobody can be served.
    """

    def __init__(
        self, where: str, explain: Callable[[Exception], tuple[str, bool]], away_seconds: float = AWAY_SECONDS
    ) -> None:
        self.where = where
        self._explain = explain
        self._away_seconds = away_seconds
        self._until = 0.0
        self._detail = ""

    @contextmanager
    def asking(self, name: str) -> Iterator[None]:
        """Around a call about the file `name`: whatever it raises becomes ArchiveAway, but FileNotFoundError."""
        if self._detail:
            if time.monotonic() < self._until:
                raise ArchiveAway(name, self._detail)
            self._until = time.monotonic() + PROBE_SECONDS  # this one finds out whether it is back, for all others
        try:
            with waiting_elsewhere():
                yield
            self._detail = ""
        except (FileNotFoundError, ChunkStoreError):
            self._detail = ""  # it did answer
            raise
        except Crowded as crowd:
            raise ArchiveAway(name, f"{self.where}: {crowd}") from None
        except Exception as error:
            reason, is_away = self._explain(error)
            detail = f"{self.where}: {reason}"
            if is_away:
                if not self._detail:
                    logger.warning("%s; it is asked again every %g s", detail, self._away_seconds)
                self._detail, self._until = detail, time.monotonic() + self._away_seconds
            else:
                self._detail = ""
            raise ArchiveAway(name, detail) from error
