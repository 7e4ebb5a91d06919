"""The database from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

from channels.db import DatabaseSyncToAsync, database_sync_to_async

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def in_database(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run ORM code on the thread that holds the connections (Channels' `database_sync_to_async`, typed)."""
    return cast(Result, await database_sync_to_async(function)(*args, **kwargs))


_aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-aside")


async def in_database_aside(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run ORM code that nobody waits for on a thread of its own.

    A database that makes a writer wait (SQLite's lock, up to 20 s) then holds up no one who only wants to read.
    """
    run = DatabaseSyncToAsync(function, thread_sensitive=False, executor=_aside)
    return cast(Result, await run(*args, **kwargs))
