"""Who works on the threads now."""

from __future__ import annotations

import asyncio
import threading

import pytest

from logviewer.live import threads

WAIT_SECONDS = 10


@pytest.mark.parametrize(
    ("run", "occupancy"),
    [(threads.in_reading_thread, threads.reading), (threads.in_writing_thread, threads.writing)],
    ids=["reading", "writing"],
)
async def test_a_thread_is_busy_as_long_as_it_works_also_when_nobody_waits_for_it_any_more(run, occupancy) -> None:
    began, end = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        end.wait(WAIT_SECONDS)

    task = asyncio.ensure_future(run(work))
    await asyncio.to_thread(began.wait, WAIT_SECONDS)
    task.cancel()
    assert occupancy.busy == 1
    end.set()
    async with asyncio.timeout(WAIT_SECONDS):
        while occupancy.busy:
            await asyncio.sleep(0.01)
