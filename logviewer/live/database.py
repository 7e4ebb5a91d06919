"""The database from the event loop, also while it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

AWAY_SECONDS = 1.0
"""How long nobody tries to connect again after a connection failed: one thread serves all, and waits as it tries."""

ANSWER_SECONDS = 10.0
"""How long one is kept waiting for a database that takes a query and says nothing, as one that was stopped does."""

AWAY_ERRORS = (OperationalError, InterfaceError)
"""What Django raises where the database cannot be reached, ends the connection, or cannot take a query now."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class DatabaseAway(OperationalError):
    """The database is known not to answer; it was not asked."""


class _Away:
    """That the database is away, remembered for a moment. Thread-safe: whoever reads an old value tries in vain."""

    def __init__(self) -> None:
        self._until = 0.0
        self._said = False

    def refuse(self) -> None:
        """Raise DatabaseAway if it was away a moment ago."""
        if time.monotonic() < self._until:
            raise DatabaseAway("the database is away")

    def note(self, error: object) -> None:
        """It is away; said once in the log."""
        if not self._said:
            logger.warning("the database is away: %s", str(error).strip() or type(error).__name__)
        self._said = True
        self._until = time.monotonic() + AWAY_SECONDS

    def over(self) -> None:
        """It answers."""
        if self._said:
            self._said, self._until = False, 0.0
            logger.warning("the database is back")


away = _Away()


async def in_database(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run ORM code on the thread that holds the connections (Channels' `database_sync_to_async`, typed).

    Raises:
        DatabaseAway: it did not answer a moment ago, or has not for ANSWER_SECONDS; what was asked may still be done.
        OperationalError, InterfaceError: it cannot be reached now.
    """
    away.refuse()
    call = database_sync_to_async(_watched)(partial(function, *args, **kwargs))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return cast(Result, await call)
    except TimeoutError:
        late = DatabaseAway(f"the database has not answered for {ANSWER_SECONDS:g} s")
        away.note(late)
        raise late from None


def _watched(function: Callable[[], Result]) -> Result:
    """Call `function`; remember whether the database could be reached."""
    try:
        result = function()
    except AWAY_ERRORS as error:
        if connection.connection is None:
            away.note(error)
        raise
    away.over()
    return result
