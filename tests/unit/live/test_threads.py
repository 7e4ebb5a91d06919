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


async def test_what_is_opened_for_somebody_who_has_gone_is_closed() -> None:
    began, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    class Opened:
        def close(self) -> None:
            closed.set()

    def opening() -> Opened:
        began.set()
        go_on.wait(WAIT_SECONDS)
        return Opened()

    task = asyncio.ensure_future(threads.opened_in_reading_thread(opening))
    await asyncio.to_thread(began.wait, WAIT_SECONDS)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not closed.is_set()
    go_on.set()
    assert await asyncio.to_thread(closed.wait, WAIT_SECONDS)


async def test_what_is_opened_for_somebody_who_waits_stays_open_and_errors_are_raised() -> None:
    class Opened:
        closed = False

        def close(self) -> None:
            self.closed = True

    def failing() -> Opened:
        raise FileNotFoundError

    assert not (await threads.opened_in_reading_thread(Opened)).closed
    with pytest.raises(FileNotFoundError):
        await threads.opened_in_reading_thread(failing)
