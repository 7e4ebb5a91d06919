"""Worker threads for what may wait for a disk, off the event loop: readers and writers have theirs apart.

A disk that makes writers wait must not keep readers from what lies in the page cache, and the other way round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

READING_THREADS = 8
WRITING_THREADS = 8

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_reading = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="read-log")
_writing = ThreadPoolExecutor(WRITING_THREADS, thread_name_prefix="write-log")


async def in_reading_thread(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run `function`, which reads logs, on a worker thread."""
    return await asyncio.get_running_loop().run_in_executor(_reading, partial(function, *args, **kwargs))


async def in_writing_thread(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run `function`, which writes logs, on a worker thread."""
    return await asyncio.get_running_loop().run_in_executor(_writing, partial(function, *args, **kwargs))
