"""Joining and leaving: at a cost that does not grow with the crowd, and without a trace."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from pathlib import Path

import pytest

from logviewer.chunkstore import Channel, Entry
from logviewer.live import Hub, LogFileProducer, chunk_store
from logviewer.live.hub import LOOKS_BEFORE_YIELD
from logviewer.live.presence import presence
from tests.unit.live.test_pausing import KEY, LOG_ID, Viewer, append, following, open_texts, until

JOINS = 10_000
ROUND = 500
LOGS = 1000
MAX_TRACE_BYTES = 500_000
WAIT_SECONDS = 30


@pytest.fixture(autouse=True)
def log() -> None:
    chunk_store().create(KEY)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_ten_thousand_that_join_and_leave_leave_no_task_no_entry_no_descriptor_and_no_memory() -> None:
    hub, stays = Hub.of_loop(), Viewer(at_once=True)
    append(b"")

    async def join_and_leave(number: int) -> None:
        """One round: some are stopped, some cancelled, at different moments; some are paused meanwhile."""
        viewers = [Viewer(at_once=each % 2 == 0) for each in range(ROUND)]
        tasks = [asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, viewer).run()) for viewer in viewers]
        for each, viewer in enumerate(viewers):
            if each % 10 == 0:
                await asyncio.sleep(0)
            if each % 5 == 0:
                viewer.pause()
            if each % 3 == 0:
                tasks[each].cancel()
        append(b"round %d\n" % number)
        await asyncio.sleep(0)
        for viewer in viewers:
            viewer.connection_lost()
        await asyncio.gather(*tasks, return_exceptions=True)

    async with following(stays):
        await join_and_leave(0)
        gc.collect()
        tracemalloc.start()
        before = asyncio.all_tasks(), descriptors(), tracemalloc.get_traced_memory()[0]
        for number in range(1, JOINS // ROUND + 1):
            await join_and_leave(number)
        await until(lambda: len(stays.data) == sum(len(b"round %d\n" % number) for number in range(21)))
        assert len(hub.followers) == hub.watched_logs == 1
        watch = hub._watches[LOG_ID]
        assert len(watch.viewers.listeners) == 1
        assert not watch.resting.listeners
        await until(lambda: len(asyncio.all_tasks()) <= len(before[0]))
        await until(lambda: gc.collect() >= 0 and descriptors() <= before[1])
        await until(lambda: gc.collect() >= 0 and tracemalloc.get_traced_memory()[0] - before[2] < MAX_TRACE_BYTES)
        tracemalloc.stop()
    await until(lambda: len(asyncio.all_tasks()) == 1)  # the look ends with the last watch
    assert hub._watches == {}
    assert not hub.followers
    await until(lambda: open_texts() == 1)  # the writer's
    assert not presence.is_watched(LOG_ID)


async def test_a_thousand_watched_logs_are_looked_at_without_holding_up_the_loop() -> None:
    hub = Hub.of_loop()
    keys = {number: f"demo/log-{number}" for number in range(1, LOGS + 1)}
    for key in keys.values():
        chunk_store().create(key)
    before = descriptors()
    heard: set[int] = set()
    listeners = {number: lambda number=number: heard.add(number) for number in keys}
    watches = await asyncio.gather(*(hub.watch(number, key, listeners[number]) for number, key in keys.items()))
    assert descriptors() - before <= 2 * LOGS + 20  # index and text of each, as docs/configuration.md says
    for key in keys.values():
        chunk_store().append(key, [Entry(Channel.STDOUT, b"never announced\n")])
    turns: list[float] = []  # the loop's CPU time, which a busy machine does not stretch
    heard_in_turns: list[int] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while len(heard) < LOGS:
            began, before_turn = time.thread_time(), len(heard)
            await asyncio.sleep(0)
            turns.append(time.thread_time() - began)
            heard_in_turns.append(len(heard) - before_turn)
    print(f"longest turn of the loop: {max(turns) * 1000:.1f} ms of CPU, {max(heard_in_turns)} logs")
    assert max(heard_in_turns) <= LOOKS_BEFORE_YIELD
    with_watches = descriptors()
    for watch in watches:
        hub.unwatch(watch, listeners[watch.log_id])
    assert hub.watched_logs == 0
    assert descriptors() <= with_watches - 2 * LOGS
