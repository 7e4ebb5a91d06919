"""Whoever wants a log's bytes: the consumer's side of Twisted's producers and consumers.

The rules are those of `twisted.internet.abstract._ConsumerMixin`: one producer at a time; registering on a lost
connection stops the producer at once; a consumer that is full pauses its producer and resumes it later.
"""

from __future__ import annotations

from typing import Protocol

from logviewer.chunkstore import Frame, FrameView, LogEnd
from logviewer.live.watch import SharedFrame


class Producer(Protocol):
    """What a consumer may ask of whoever feeds it (Twisted's IPushProducer)."""

    def pause_producing(self) -> None:
        """Stop writing until `resume_producing`."""

    def resume_producing(self) -> None:
        """Go on writing."""

    def stop_producing(self) -> None:
        """Nobody wants more: end for good."""


class Consumer(Protocol):
    """What a `LogFileProducer` asks of whoever it feeds."""

    def register_producer(self, producer: Producer, streaming: bool) -> None:
        """Take `producer` as the only one."""

    def unregister_producer(self) -> None:
        """The producer has ended."""

    def room(self) -> int:
        """How many bytes of text may be written now; the producer never asks while it is paused."""

    async def write_chunk(self, frame: Frame) -> None:
        """Take the next frame; may wait as long as the connection is full."""

    def write_chunk_now(self, frame: SharedFrame | FrameView) -> bool:
        """Take the next frame without waiting, or say no: then it is written by `write_chunk`. A view is not kept."""

    async def caught_up(self, end: LogEnd) -> None:
        """All that was stored has been written and the log is open; said once."""

    async def grew(self, end: LogEnd) -> None:
        """The log grew while the producer was paused; said at most twice a second."""

    async def finish(self, end: LogEnd) -> None:
        """The log is finished and all of it was written."""

    async def reload(self, reason: str) -> None:
        """What was written is void: the log is not what it was."""


class ConsumerMixin:
    """The bookkeeping of a consumer, after Twisted's `_ConsumerMixin`."""

    producer: Producer | None = None
    streaming_producer = False
    producer_paused = False
    disconnected = False

    def register_producer(self, producer: Producer, streaming: bool) -> None:
        """Take `producer` as the only one; it is stopped at once where the connection is lost already.

        Raises:
            RuntimeError: another producer is registered; the message names both.
        """
        if self.producer is not None:
            raise RuntimeError(f"cannot register producer {producer!r}: {self.producer!r} was never unregistered")
        if self.disconnected:
            producer.stop_producing()
            return
        self.producer = producer
        self.streaming_producer = streaming
        self.producer_paused = False

    def unregister_producer(self) -> None:
        """Forget the producer; what it wrote is still delivered."""
        self.producer = None
        self.producer_paused = False

    def write_chunk_now(self, frame: SharedFrame | FrameView) -> bool:
        """Say no: most connections have no way to write that does not wait."""
        return False

    def pause(self) -> None:
        """Pause the producer, once."""
        if self.producer is not None and not self.producer_paused:
            self.producer_paused = True
            self.producer.pause_producing()

    def resume(self) -> None:
        """Resume the producer, if it was paused."""
        if self.producer is not None and self.producer_paused:
            self.producer_paused = False
            self.producer.resume_producing()

    def connection_lost(self) -> None:
        """The other side went away: the producer is stopped, later ones are stopped as they come."""
        self.disconnected = True
        if self.producer is not None:
            self.producer.stop_producing()
            self.unregister_producer()
