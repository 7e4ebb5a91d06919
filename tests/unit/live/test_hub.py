"""The hub: how logs are joined, and its membership in the channel layer's groups."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from logviewer.chunkstore import Channel, Entry, LogReader
from logviewer.live import Hub, chunk_store, hub
from logviewer.live.events import noun_group

WAIT_SECONDS = 5


class HeldLayer:
    """A channel layer of other processes whose joining takes until `gate` is set."""

    def __init__(self) -> None:
        self.joined: set[str] = set()
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def new_channel(self) -> str:
        return "hub"

    async def group_add(self, group: str, channel: str) -> None:
        self.asked.set()
        await self.gate.wait()
        self.joined.add(group)

    async def group_discard(self, group: str, channel: str) -> None:
        self.joined.discard(group)
        self.left.set()

    async def receive(self, channel: str) -> dict[str, Any]:
        return await asyncio.Future()


async def test_a_build_that_is_left_while_it_is_joined_stays_in_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = HeldLayer()
    monkeypatch.setattr(hub, "get_channel_layer", lambda: layer)

    def listener(*_change: Any) -> None:
        raise AssertionError("nothing changed")

    loops_hub = Hub.of_loop()
    async with asyncio.timeout(WAIT_SECONDS):
        loops_hub.watch_noun(("build", 5), listener)
        await layer.asked.wait()
        loops_hub.unwatch_noun(("build", 5), listener)
        await layer.left.wait()  # too early: there was nothing to leave yet
        layer.left.clear()
        layer.gate.set()
        await layer.left.wait()
    assert noun_group(("build", 5)) not in layer.joined


KEY = "demo/linux/1/1-compile/stdio-7"
LOG_ID = 7


class HeldOpening:
    """Opens a log for reading as soon as `gate` is set, with what the log had before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, held_key: str = KEY) -> None:
        self.asked = threading.Event()
        self.gate = threading.Event()
        self.readers: list[LogReader] = []
        self._held_key = held_key
        self._open = hub.open_reader
        monkeypatch.setattr(hub, "open_reader", self.open)

    def open(self, key: str) -> LogReader:
        reader = self._open(key)
        if key == self._held_key:
            self.readers.append(reader)
            self.asked.set()
            assert self.gate.wait(WAIT_SECONDS)
        return reader


def is_open(reader: LogReader) -> bool:
    try:
        reader.has_unsynced_records()
    except OSError:
        return False
    return True


def heard() -> None:
    """Listen to nothing in particular."""


async def test_a_log_that_takes_long_to_open_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk_store().create(KEY)
    chunk_store().create("demo/other-8")
    opening = HeldOpening(monkeypatch)
    slow = asyncio.ensure_future(Hub.of_loop().watch(LOG_ID, KEY, heard))
    await asyncio.to_thread(opening.asked.wait, WAIT_SECONDS)
    other = await asyncio.wait_for(Hub.of_loop().watch(8, "demo/other-8", heard), WAIT_SECONDS)
    assert not slow.done()
    opening.gate.set()
    for watch in (other, await slow):
        Hub.of_loop().unwatch(watch, heard)


async def test_what_is_written_while_a_log_is_opened_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk_store().create(KEY)
    opening = HeldOpening(monkeypatch)
    joining = asyncio.ensure_future(Hub.of_loop().watch(LOG_ID, KEY, heard))
    await asyncio.to_thread(opening.asked.wait, WAIT_SECONDS)
    chunk_store().append(KEY, [Entry(Channel.STDOUT, b"meanwhile\n")])
    opening.gate.set()
    watch = await joining
    assert watch.end.size == 10
    Hub.of_loop().unwatch(watch, heard)


async def test_two_that_join_at_once_share_one_watch_and_one_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk_store().create(KEY)
    opening = HeldOpening(monkeypatch)
    listeners = [lambda: None, lambda: None]
    joining = [asyncio.ensure_future(Hub.of_loop().watch(LOG_ID, KEY, each)) for each in listeners]
    opening.gate.set()
    first, second = await asyncio.gather(*joining)
    assert first is second
    assert sorted(is_open(reader) for reader in opening.readers) == [False, True]
    for each in listeners:
        Hub.of_loop().unwatch(first, each)
    assert not any(is_open(reader) for reader in opening.readers)


async def test_whoever_leaves_while_the_log_is_opened_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk_store().create(KEY)
    opening = HeldOpening(monkeypatch)
    joining = asyncio.ensure_future(Hub.of_loop().watch(LOG_ID, KEY, heard))
    await asyncio.to_thread(opening.asked.wait, WAIT_SECONDS)
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    opening.readers.clear()
    opening.gate.set()
    async with asyncio.timeout(WAIT_SECONDS):
        while open_descriptors(f"{KEY}.idx"):
            gc.collect()
            await asyncio.sleep(0.01)
    assert Hub.of_loop().watched_logs == 0


def open_descriptors(name: str) -> list[str]:
    """The files of that name which this process has open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed since it was listed
            found.append(str(each.readlink()))
    return [path for path in found if path.endswith(name)]
