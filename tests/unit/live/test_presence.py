"""Who watches: in this process, and as others say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from logviewer.live import presence as module
from logviewer.live.presence import EXPIRY_SECONDS, UNWATCHED_FLUSH_MS, WATCHED_FLUSH_MS, Presence

WAIT_SECONDS = 10


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """What was announced to other processes."""
    said: list[list[int]] = []
    monkeypatch.setattr(module.announce, "distributed", lambda: True)
    monkeypatch.setattr(module.announce, "logs_watched", lambda _process, logs: said.append(sorted(logs)))
    return said


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_log_is_watched_from_its_first_viewer_to_its_last(told: list[list[int]]) -> None:
    presence, calls = Presence(), []
    presence.listen(1, lambda: calls.append(presence.flush_ms(1)))
    assert presence.flush_ms(1) == UNWATCHED_FLUSH_MS
    with presence.viewer(1):
        with presence.viewer(1):
            assert presence.flush_ms(1) == WATCHED_FLUSH_MS
            assert presence.flush_ms(2) == UNWATCHED_FLUSH_MS
        assert presence.flush_ms(1) == WATCHED_FLUSH_MS
    assert presence.flush_ms(1) == UNWATCHED_FLUSH_MS
    assert calls == [WATCHED_FLUSH_MS]


async def test_viewers_that_come_together_are_told_of_together_and_the_last_one_that_goes_too(
    told: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEWAL_SECONDS", 0.05)
    presence = Presence()
    with presence.viewer(1), presence.viewer(2), presence.viewer(3):
        await until(lambda: len(told) >= 2)
        assert told[:2] == [[1, 2, 3], [1, 2, 3]]
    await until(lambda: told[-1] == [])
    count = len(told)
    await asyncio.sleep(0.2)
    assert len(told) == count


async def test_what_another_process_says_holds_until_it_says_otherwise_or_falls_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    presence, calls = Presence(), []
    for log_id in (1, 2):
        presence.listen(log_id, lambda log_id=log_id: calls.append(log_id))
    presence._hear("other", [1])
    presence._hear("third", [1])
    presence._hear("other", [1, 2])
    assert calls == [1, 1, 2]
    presence._hear("other", [2])
    assert (presence.is_watched(1), presence.is_watched(2)) == (True, True)
    now += EXPIRY_SECONDS / 2
    presence._hear("third", [])
    assert (presence.is_watched(1), presence.is_watched(2)) == (False, True)
    now += EXPIRY_SECONDS / 2 + 1
    assert not presence.is_watched(2)
    presence._hear("third", [])
    assert "other" not in presence._elsewhere


async def test_whoever_has_left_is_not_called() -> None:
    presence, calls = Presence(), []

    def listener() -> None:
        calls.append(1)

    presence.listen(1, listener)
    presence.unlisten(1, listener)
    presence.unlisten(1, listener)
    presence._hear("other", [1])
    assert calls == []
    assert not presence._listeners


class Layer:
    """A channel layer that fails once, then hands out what it is given."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.failures = 1
        self.groups: list[str] = []

    async def new_channel(self) -> str:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        return "channel"

    async def group_add(self, group: str, _channel: str) -> None:
        self.groups.append(group)

    async def receive(self, _channel: str) -> dict[str, Any]:
        return await self.messages.get()


async def test_while_there_are_writers_others_are_heard_also_after_the_layer_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, presence = Layer(), Presence()
    monkeypatch.setattr(module, "RENEWAL_SECONDS", 0.01)
    monkeypatch.setattr(module, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(module.announce, "distributed", lambda: True)
    with presence.writer():
        with presence.writer():
            await until(lambda: layer.groups == ["writers"])
        layer.messages.put_nowait({"type": "logs.watched", "process": "other", "logs": [7]})
        await until(lambda: presence.is_watched(7))
        listening = presence._listening
        assert listening is not None
    await until(listening.done)
