"""LogFileProducer against a real store and a consumer that writes down what it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from logviewer.chunkstore import Channel, Entry, Frame, LogEnd, NoSuchLog
from logviewer.live import ConsumerMixin, Hub, LogFileProducer, announce, chunk_store

KEY = "demo/linux/1/1-compile/stdio-7"
LOG_ID = 7
WAIT_SECONDS = 5


class RecordingConsumer(ConsumerMixin):
    """Takes frames into memory; `credit` bytes at the most before it pauses its producer."""

    def __init__(self, credit: int = 2**40) -> None:
        self.data = bytearray()
        self.offsets: list[int] = []
        self.said: list[str] = []
        self.sizes: list[int] = []
        self.credit = credit
        self.news = asyncio.Event()

    def room(self) -> int:
        return self.credit

    async def write_chunk(self, frame: Frame) -> None:
        assert len(frame.data) <= self.credit
        self.offsets.append(frame.offset)
        self.data += frame.data
        self.credit -= len(frame.data)
        if not self.credit:
            self.pause()
        self.news.set()

    async def caught_up(self, end: LogEnd) -> None:
        self.said.append("live")
        self.news.set()

    async def grew(self, end: LogEnd) -> None:
        self.sizes.append(end.size)
        self.news.set()

    async def finish(self, end: LogEnd) -> None:
        self.said.append("finish")

    async def reload(self, reason: str) -> None:
        self.said.append("reload")

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self.news.clear()
                await self.news.wait()


def append(text: bytes, *, announced: bool = True) -> None:
    appended = chunk_store().append(KEY, [Entry(Channel.STDOUT, text)])
    if announced:
        announce.log_grew(LOG_ID, appended.end.size)


@pytest.fixture(autouse=True)
def log() -> None:
    chunk_store().create(KEY)


async def test_a_finished_log_is_written_whole_and_finished() -> None:
    append(b"all of it\n" * 100_000)
    chunk_store().finish(KEY)
    consumer = RecordingConsumer()
    await asyncio.wait_for(LogFileProducer(LOG_ID, KEY, consumer).run(), WAIT_SECONDS)
    assert bytes(consumer.data) == b"all of it\n" * 100_000
    assert consumer.said == ["finish"]
    assert consumer.producer is None


async def test_what_is_written_while_it_follows_comes_in_order() -> None:
    append(b"before\n")
    consumer = RecordingConsumer()
    running = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, consumer).run())
    await consumer.wait_until(lambda: consumer.said == ["live"])
    for number in range(5):
        append(b"%d\n" % number)
        await consumer.wait_until(lambda number=number: consumer.data.endswith(b"%d\n" % number))
    chunk_store().finish(KEY)
    announce.log_grew(LOG_ID, 0)
    await asyncio.wait_for(running, WAIT_SECONDS)
    assert bytes(consumer.data) == b"before\n0\n1\n2\n3\n4\n"
    assert consumer.said == ["live", "finish"]


async def test_an_announcement_that_is_lost_costs_a_second_not_a_line() -> None:
    consumer = RecordingConsumer()
    running = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, consumer).run())
    await consumer.wait_until(lambda: consumer.said == ["live"])
    append(b"never announced\n", announced=False)
    await consumer.wait_until(lambda: bool(consumer.data))
    assert bytes(consumer.data) == b"never announced\n"
    assert Hub.of_loop().gap_fills == 1
    running.cancel()


async def test_a_consumer_without_room_is_told_of_growth_and_resumed_from_the_store() -> None:
    append(b"x" * 1000)
    consumer = RecordingConsumer(credit=300)
    running = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, consumer).run())
    await consumer.wait_until(lambda: len(consumer.data) == 300)
    append(b"y" * 1000)
    await consumer.wait_until(lambda: consumer.sizes == [2000])
    consumer.credit = 2**40
    consumer.resume()
    await consumer.wait_until(lambda: len(consumer.data) == 2000)
    assert bytes(consumer.data) == b"x" * 1000 + b"y" * 1000
    running.cancel()


async def test_it_starts_where_it_is_told_to() -> None:
    append(b"0123456789")
    chunk_store().finish(KEY)
    consumer = RecordingConsumer()
    await LogFileProducer(LOG_ID, KEY, consumer, offset=4).run()
    assert bytes(consumer.data) == b"456789"
    assert consumer.offsets == [4]


async def test_a_log_that_is_shorter_than_the_offset_is_reloaded() -> None:
    append(b"short")
    consumer = RecordingConsumer()
    await LogFileProducer(LOG_ID, KEY, consumer, offset=6).run()
    assert consumer.said == ["reload"]


async def test_stopping_ends_it_and_the_hub_forgets_the_log() -> None:
    consumer = RecordingConsumer()
    producer = LogFileProducer(LOG_ID, KEY, consumer)
    running = asyncio.ensure_future(producer.run())
    await consumer.wait_until(lambda: consumer.said == ["live"])
    assert Hub.of_loop().watched_logs == 1
    consumer.connection_lost()
    await asyncio.wait_for(running, WAIT_SECONDS)
    assert Hub.of_loop().watched_logs == 0


async def test_cancelling_leaves_nothing_behind() -> None:
    append(b"z" * 5_000_000)
    consumer = RecordingConsumer(credit=200_000)
    running = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, consumer).run())
    await consumer.wait_until(lambda: bool(consumer.data))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert Hub.of_loop().watched_logs == 0
    assert consumer.producer is None


async def test_viewers_at_the_same_offset_share_bytes() -> None:
    consumers = [RecordingConsumer() for _ in range(3)]
    running = [asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, consumer).run()) for consumer in consumers]
    for consumer in consumers:
        await consumer.wait_until(lambda consumer=consumer: consumer.said == ["live"])
    append(b"shared\n")
    frames = []
    for consumer in consumers:
        await consumer.wait_until(lambda consumer=consumer: bool(consumer.data))
        frames.append(bytes(consumer.data))
    assert frames == [b"shared\n"] * 3
    for task in running:
        task.cancel()


async def test_whoever_comes_after_a_redaction_reads_nothing_that_was_opened_before_it() -> None:
    watching = RecordingConsumer(credit=5)
    running = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, watching).run())
    await watching.wait_until(lambda: watching.said == ["live"])
    append(b"$ make\nhunter2\ndone\n")
    await watching.wait_until(lambda: not watching.credit)
    chunk_store().finish(KEY)
    chunk_store().redact(KEY, 2, 2)
    coming = RecordingConsumer()
    await asyncio.wait_for(LogFileProducer(LOG_ID, KEY, coming).run(), WAIT_SECONDS)
    assert bytes(coming.data) == b"$ make\n*******\ndone\n"
    watching.credit = 1000
    watching.resume()
    await asyncio.wait_for(running, WAIT_SECONDS)
    assert bytes(watching.data) == b"$ make\n*******\ndone\n"


async def test_a_log_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NoSuchLog):
        await LogFileProducer(9, "demo/none-9", RecordingConsumer()).run()


async def test_how_far_a_paused_viewer_is_behind_can_be_asked_of_the_hub() -> None:
    append(b"z" * 300_000)
    consumer = RecordingConsumer(credit=100_000)
    running = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, consumer).run())
    await consumer.wait_until(lambda: consumer.credit == 0)
    assert [follower.bytes_behind for follower in Hub.of_loop().followers] == [200_000]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert Hub.of_loop().followers == set()
