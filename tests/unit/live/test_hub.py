"""The hub's membership in the channel layer's groups."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from logviewer.live import Hub, hub
from logviewer.live.events import build_group

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
        loops_hub.watch_build(5, listener)
        await layer.asked.wait()
        loops_hub.unwatch_build(5, listener)
        await layer.left.wait()  # too early: there was nothing to leave yet
        layer.left.clear()
        layer.gate.set()
        await layer.left.wait()
    assert build_group(5) not in layer.joined
