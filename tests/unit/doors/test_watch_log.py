"""The viewer's socket before it has a producer: what the client says that early counts all the same."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.doors.watch_log import WatchLog


class RecordingProducer:
    """Writes down what it is asked to do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause_producing(self) -> None:
        self.asked.append("pause")

    def resume_producing(self) -> None:
        self.asked.append("resume")

    def stop_producing(self) -> None:
        self.asked.append("stop")


@pytest.fixture
def socket() -> WatchLog:
    async def never(*_: Any) -> Any:
        raise AssertionError("nothing is sent or received")

    return WatchLog({}, never, never)


def test_a_pause_before_there_is_a_producer_pauses_it_when_it_comes(socket: WatchLog) -> None:
    producer = RecordingProducer()
    socket.take({"type": "pause"})
    socket.register_producer(producer, True)
    assert producer.asked == ["pause"]
    socket.take({"type": "resume"})
    assert producer.asked == ["pause", "resume"]


def test_a_stop_before_there_is_a_producer_stops_it_when_it_comes(socket: WatchLog) -> None:
    producer = RecordingProducer()
    socket.take({"type": "stop"})
    socket.register_producer(producer, True)
    assert producer.asked == ["stop"]
