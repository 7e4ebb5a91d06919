"""A consumer's bookkeeping, after Twisted's `_ConsumerMixin`."""

from __future__ import annotations

import pytest

from logviewer.live import ConsumerMixin


class RecordingProducer:
    """Writes down what it is asked to do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[str] = []

    def __repr__(self) -> str:
        return self.name

    def pause_producing(self) -> None:
        self.asked.append("pause")

    def resume_producing(self) -> None:
        self.asked.append("resume")

    def stop_producing(self) -> None:
        self.asked.append("stop")


def test_a_second_producer_is_an_error_that_names_both() -> None:
    consumer = ConsumerMixin()
    consumer.register_producer(RecordingProducer("first"), True)
    with pytest.raises(RuntimeError, match=r"second.*first"):
        consumer.register_producer(RecordingProducer("second"), True)


def test_after_unregistering_another_producer_may_come() -> None:
    consumer = ConsumerMixin()
    consumer.register_producer(RecordingProducer("first"), True)
    consumer.unregister_producer()
    second = RecordingProducer("second")
    consumer.register_producer(second, False)
    assert consumer.producer is second
    assert not consumer.streaming_producer


def test_registering_on_a_lost_connection_stops_the_producer_at_once() -> None:
    consumer = ConsumerMixin()
    consumer.connection_lost()
    producer = RecordingProducer("late")
    consumer.register_producer(producer, True)
    assert producer.asked == ["stop"]
    assert consumer.producer is None


def test_a_lost_connection_stops_the_producer() -> None:
    consumer = ConsumerMixin()
    producer = RecordingProducer("only")
    consumer.register_producer(producer, True)
    consumer.connection_lost()
    assert producer.asked == ["stop"]


def test_pausing_and_resuming_are_passed_on_once_each() -> None:
    consumer = ConsumerMixin()
    producer = RecordingProducer("only")
    consumer.register_producer(producer, True)
    for call in (consumer.resume, consumer.pause, consumer.pause, consumer.resume, consumer.resume):
        call()
    assert producer.asked == ["pause", "resume"]
