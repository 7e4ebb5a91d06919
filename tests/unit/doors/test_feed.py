"""What viewers of one build or project share: read once, told in order, bounded for the slow."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from logviewer.doors import feed as feed_module
from logviewer.doors import watching as watching_module
from logviewer.doors.feed import MAX_WAITING_BYTES, MAX_WAITING_CHANGES, Deleted, Feed, Message, Seat, message_text
from logviewer.doors.socket import Refused
from logviewer.doors.watching import Watching
from logviewer.live.events import BuildChanged, Changed, Noun

PATIENCE_SECONDS = 10
NUMBER = 7


class FakeHub:
    """Remembers who listens."""

    def __init__(self) -> None:
        self.listener: Callable[..., None] | None = None

    def watch_noun(self, noun: Noun, listener: Callable[..., None]) -> None:
        assert noun == ("build", NUMBER)
        self.listener = listener

    def unwatch_noun(self, _noun: Noun, listener: Callable[..., None]) -> None:
        if self.listener == listener:
            self.listener = None

    def tell(self, version: int | None, change: Changed | None) -> None:
        """An announcement, or what a look at the database has found."""
        if self.listener is not None:
            self.listener(version, change)


class Noted(Feed):
    """A feed of a noun that is nothing but its version; counts how often it is read."""

    stored = 1
    reads: list[str]
    failure: Exception | None = None
    gate: asyncio.Event
    padding = ""

    @staticmethod
    def noun_of(number: int) -> Noun:
        return "build", number

    def read_snapshot(self) -> Callable[[], Message]:
        self.reads.append("snapshot")
        if self.failure is not None:
            raise self.failure
        text = message_text({"type": "snapshot", "version": self.stored})
        return partial(Message, self.stored, text, is_snapshot=True)

    def read_change(self, version: int, change: Changed) -> Message | None:
        self.reads.append(f"change {version}")
        if change["event"] == "buildAbandoned":
            return None
        return Message(version, message_text({"type": change["event"], "version": version, "p": self.padding}))

    async def follow(self, change: Changed | None) -> None:
        await self.gate.wait()


def change(version: int, event: Any = "stepStarted") -> BuildChanged:
    return BuildChanged(type="build.changed", build=NUMBER, version=version, event=event, subject=1)


def happen(hub: FakeHub, *, announced: bool = True, event: Any = "stepStarted") -> int:
    """Something happens to the noun."""
    Noted.stored += 1
    if announced:
        hub.tell(Noted.stored, change(Noted.stored, event))
    return Noted.stored


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    fake = FakeHub()

    async def at_once(function: Callable[..., Any], *args: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args)

    monkeypatch.setattr(feed_module.Hub, "of_loop", lambda: fake)
    monkeypatch.setattr(feed_module, "in_database", at_once)
    for module in (feed_module, watching_module):
        monkeypatch.setattr(module, "SNAPSHOT_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(feed_module, "GRACE_SECONDS", 0.02)
    monkeypatch.setattr(Noted, "stored", 1)
    monkeypatch.setattr(Noted, "reads", [], raising=False)
    gate = asyncio.Event()
    gate.set()
    monkeypatch.setattr(Noted, "gate", gate, raising=False)
    yield fake
    assert feed_module._feeds == {}


class Viewer(Watching):
    """A socket whose client is this test; `slow` holds what is sent."""

    feed = Noted
    number = NUMBER

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.slow = asyncio.Event()
        self.slow.set()
        self.came = asyncio.Event()
        super().__init__({}, self._nothing, self._send_to_test)
        self.task = asyncio.ensure_future(self.work())

    async def _nothing(self) -> Any:
        await asyncio.Future()

    async def _send_to_test(self, event: Any) -> None:
        await self.slow.wait()
        message = json.loads(event["text"])
        last = self.said[-1]["version"] if self.said else 0
        assert message["version"] == last + 1 or message["type"] == "snapshot", (message, last)
        assert message["version"] >= last
        self.said.append(message)
        self.came.set()

    async def until(self, version: int) -> list[str]:
        """Wait until it was told of the version; returns the types of all it was told."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.said or self.said[-1]["version"] < version:
                self.came.clear()
                await self.came.wait()
        return [message["type"] for message in self.said]

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_what_happens_is_read_once_and_told_to_all_in_order(hub: FakeHub) -> None:
    viewers = [Viewer() for _ in range(20)]
    for viewer in viewers:
        assert await viewer.until(1) == ["snapshot"]
    for _ in range(3):
        happen(hub)
    for viewer in viewers:
        assert await viewer.until(4) == ["snapshot", "stepStarted", "stepStarted", "stepStarted"]
    assert [read for read in Noted.reads if read != "snapshot"] == ["change 2", "change 3", "change 4"]
    assert Noted.reads.count("snapshot") <= 2
    for viewer in viewers:
        await viewer.leave()


async def test_who_comes_later_begins_with_a_snapshot_and_misses_nothing(hub: FakeHub) -> None:
    first = Viewer()
    await first.until(1)
    happen(hub)
    second = Viewer()
    happen(hub)
    await first.until(3)
    assert (await second.until(3))[0] == "snapshot"
    await first.leave()
    happen(hub)
    await second.until(4)
    assert hub.listener is not None
    await second.leave()
    assert hub.listener is None


async def test_what_was_announced_by_nobody_is_told_as_a_snapshot(hub: FakeHub) -> None:
    viewer = Viewer()
    await viewer.until(1)
    hub.tell(happen(hub, announced=False), None)
    assert await viewer.until(2) == ["snapshot", "snapshot"]
    happen(hub, announced=False)
    happen(hub)
    assert await viewer.until(4) == ["snapshot"] * 3
    happen(hub)
    assert (await viewer.until(5))[-1] == "stepStarted"
    await viewer.leave()


async def test_an_announcement_may_come_a_moment_after_its_version_was_seen(hub: FakeHub) -> None:
    viewer = Viewer()
    await viewer.until(1)
    version = happen(hub, announced=False)
    hub.tell(version, None)
    hub.tell(version, change(version))
    assert await viewer.until(2) == ["snapshot", "stepStarted"]
    await viewer.leave()


async def test_what_changes_much_at_once_is_told_as_a_snapshot(hub: FakeHub) -> None:
    viewer = Viewer()
    await viewer.until(1)
    happen(hub, event="buildAbandoned")
    assert await viewer.until(2) == ["snapshot", "snapshot"]
    await viewer.leave()


async def test_a_slow_viewer_holds_little_and_gets_a_snapshot_in_place_of_what_it_missed(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Noted, "padding", "x" * (MAX_WAITING_BYTES // 10))
    slow, quick = Viewer(), Viewer()
    await slow.until(1)
    await quick.until(1)
    slow.slow.clear()
    for _ in range(50):
        await quick.until(happen(hub))
        assert slow._seat._waiting_bytes <= MAX_WAITING_BYTES * 1.2
    slow.slow.set()
    assert (await slow.until(51))[-1] == "snapshot"
    assert len(slow.said) <= 4
    assert len(quick.said) == 51
    await slow.leave()
    await quick.leave()


async def test_a_feed_that_cannot_keep_up_holds_little_too(hub: FakeHub) -> None:
    viewer = Viewer()
    await viewer.until(1)
    Noted.gate.clear()
    for _ in range(3 * MAX_WAITING_CHANGES):
        happen(hub)
    (feed,) = feed_module._feeds.values()
    assert len(feed._changes) <= MAX_WAITING_CHANGES
    Noted.gate.set()
    await viewer.until(MAX_WAITING_CHANGES)
    while viewer.said[-1]["version"] < Noted.stored:
        hub.tell(Noted.stored, None)  # the look at the database, once a second
        await asyncio.sleep(0.01)
    await viewer.leave()


async def test_snapshots_that_are_asked_for_at_once_are_read_once(hub: FakeHub) -> None:
    viewers = [Viewer() for _ in range(50)]
    for viewer in viewers:
        await viewer.until(1)
    Noted.reads.clear()
    for viewer in viewers:
        viewer.take({"type": "snapshot"})
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(len(viewer.said) < 2 for viewer in viewers):
            await asyncio.sleep(0.01)
    assert len(Noted.reads) < 10  # as many turns as the loop takes to hear them all
    for viewer in viewers:
        await viewer.leave()


async def test_when_what_is_watched_is_deleted_all_are_told_so(hub: FakeHub) -> None:
    viewers = [Viewer(), Viewer()]
    for viewer in viewers:
        await viewer.until(1)
    hub.tell(None, None)
    for viewer in viewers:
        with pytest.raises(Refused) as refusal:
            await asyncio.wait_for(viewer.task, PATIENCE_SECONDS)
        assert refusal.value.status == 4410


async def test_a_database_that_fails_ends_the_feed_for_all_and_the_next_one_gets_another(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewers = [Viewer(), Viewer()]
    for viewer in viewers:
        await viewer.until(1)
    monkeypatch.setattr(Noted, "failure", ConnectionError("away"))
    hub.tell(happen(hub, announced=False), None)
    for viewer in viewers:
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(viewer.task, PATIENCE_SECONDS)
    refused = Viewer()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(refused.task, PATIENCE_SECONDS)
    monkeypatch.setattr(Noted, "failure", None)
    viewer = Viewer()
    assert await viewer.until(2) == ["snapshot"]
    await viewer.leave()


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_is_lost_doubled_or_late_versions_follow_each_other_to_the_last(hub: FakeHub, seed: int) -> None:
    chance = random.Random(seed)
    viewers = [Viewer() for _ in range(5)]
    late: list[int] = []
    for _ in range(200):
        version = happen(hub, announced=False)
        for _ in range(chance.choice([0, 1, 1, 1, 2])):
            late.append(version)
        if chance.random() < 0.7:
            while late:
                told = late.pop(chance.choice([0, 0, 0, -1]))
                hub.tell(told, change(told))
        if chance.random() < 0.1:
            await viewers.pop(0).leave()
            viewers.append(Viewer())
        if chance.random() < 0.1:
            chance.choice(viewers).take({"type": "snapshot"})
        await asyncio.sleep(chance.choice([0, 0, 0.001]))
    for viewer in viewers:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not viewer.said or viewer.said[-1]["version"] < Noted.stored:
                hub.tell(Noted.stored, None)
                await asyncio.sleep(0.01)
        assert not viewer.task.done()
        await viewer.leave()


async def test_a_seat_raises_what_the_feed_ended_with() -> None:
    seat = Seat()
    seat.fail(Deleted())
    with pytest.raises(Deleted):
        await seat.next()
