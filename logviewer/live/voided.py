"""Who follows finished logs: told within a second when a log was deleted, or redacted, under what it is being sent.

The row decides, not the files: those were opened earlier, and can be read until they are closed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from logviewer.live.database import AWAY_ERRORS, in_database
from logviewer.models import LogFile

logger = logging.getLogger(__name__)


class Follower(Protocol):
    """Whoever feeds one viewer of a log."""

    @property
    def bytes_behind(self) -> int:
        """Bytes of text that are stored and not yet written to the viewer."""

    @property
    def finished_log(self) -> int | None:
        """The id of the log, if it is finished (an open one is neither deleted nor redacted) and has a row."""

    def row_is(self, redactions: int | None) -> None:
        """Learn how often the log was redacted by now; None: it was deleted."""


async def tell_of_rows(followers: Iterable[Follower]) -> None:
    """Look up, in one query, what became of the finished logs that are being followed, and tell who follows them."""
    concerned = [(follower, log_id) for follower in followers if (log_id := follower.finished_log) is not None]
    if not concerned:
        return
    try:
        redactions = await in_database(_redactions, {log_id for _follower, log_id in concerned})
    except AWAY_ERRORS:  # its being away is in the log already
        return
    except Exception:
        logger.exception("finished logs cannot be looked at")
        return
    for follower, log_id in concerned:
        follower.row_is(redactions.get(log_id))


def _redactions(log_ids: set[int]) -> dict[int, int]:
    return dict(LogFile.objects.filter(pk__in=log_ids).values_list("pk", "redactions"))
