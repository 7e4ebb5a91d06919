"""The database's row of a log that the store says is finished, looked up once for all viewers who ask at a time."""

from __future__ import annotations

import asyncio

from logviewer.live.database import in_database
from logviewer.models import LogFile

FIRST_ROW_PAUSE_SECONDS = 0.05
LAST_ROW_PAUSE_SECONDS = 1.6
"""The end waits for the database's row to follow the store, to tell the SHA-256: seven looks, 3.15 s in all."""

_under_way: dict[tuple[asyncio.AbstractEventLoop, int], asyncio.Task[LogFile]] = {}


async def finished_row(log_id: int) -> LogFile:
    """The row, as soon as it has followed the store (at once, but for a crash in between).

    A thousand viewers of a log that ends ask in the same moment: one of them is enough for the database.

    Raises:
        LogFile.DoesNotExist: it was deleted meanwhile.
    """
    key = asyncio.get_running_loop(), log_id
    looking = _under_way.get(key)
    if looking is None:
        looking = _under_way[key] = asyncio.ensure_future(_look(log_id))
        looking.add_done_callback(lambda done: _forget(key, done))
    return await asyncio.shield(looking)


async def _look(log_id: int) -> LogFile:
    pause_seconds = FIRST_ROW_PAUSE_SECONDS
    while True:
        row = await in_database(LogFile.objects.get, pk=log_id)
        if row.is_finished or pause_seconds > LAST_ROW_PAUSE_SECONDS:
            return row
        await asyncio.sleep(pause_seconds)
        pause_seconds *= 2


def _forget(key: tuple[asyncio.AbstractEventLoop, int], looking: asyncio.Task[LogFile]) -> None:
    del _under_way[key]
    if not looking.cancelled():
        looking.exception()  # whoever asked may have gone
