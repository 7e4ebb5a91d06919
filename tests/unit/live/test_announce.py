"""The announcer: it never makes a writer wait, merges what waits, and survives a layer that is away."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from logviewer.live import announce
from logviewer.live.events import log_group

WAIT_SECONDS = 5


class SlowLayer:
    """A channel layer that can be held, can fail, and writes down what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.failures = 0
        self.gate = threading.Event()
        self.gate.set()
        self.news = threading.Condition()

    async def group_send(self, group: str, message: Any) -> None:
        self.gate.wait(WAIT_SECONDS)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("Redis is away")
        with self.news:
            self.sent.append((group, message["size"]))
            self.news.notify_all()

    def wait_for(self, group: str, size: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: (group, size) in self.sent, WAIT_SECONDS), self.sent


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> SlowLayer:
    slow = SlowLayer()
    monkeypatch.setattr(announce, "get_channel_layer", lambda: slow)
    monkeypatch.setattr(announce, "announcer", announce.Announcer())
    monkeypatch.setattr(announce, "RETRY_SECONDS", 0.01)
    return slow


def test_an_announcement_reaches_the_group(layer: SlowLayer) -> None:
    announce.log_grew(1, 10)
    layer.wait_for(log_group(1), 10)


def test_while_the_layer_is_stuck_only_the_newest_waits_for_each_log(layer: SlowLayer) -> None:
    layer.gate.clear()
    announce.log_grew(1, 1)
    for size in range(2, 1000):
        announce.log_grew(1, size)
        announce.log_grew(2, size)
    layer.gate.set()
    layer.wait_for(log_group(1), 999)
    layer.wait_for(log_group(2), 999)
    assert len(layer.sent) <= 5


def test_a_layer_that_fails_is_tried_again(layer: SlowLayer) -> None:
    layer.failures = 3
    announce.log_grew(1, 42)
    layer.wait_for(log_group(1), 42)
    assert announce.announcer.lost == 3


def test_what_waits_is_bounded(layer: SlowLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "announcer", announce.Announcer(max_waiting=3))
    layer.gate.clear()
    for log_id in range(100):
        announce.log_grew(log_id, 1)
    assert announce.announcer.lost >= 90
    layer.gate.set()
