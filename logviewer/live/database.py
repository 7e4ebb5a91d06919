"""The database from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from channels.db import database_sync_to_async

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


async def in_database(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run ORM code on the thread that holds the connections (Channels' `database_sync_to_async`, typed)."""
    return cast(Result, await database_sync_to_async(function)(*args, **kwargs))
