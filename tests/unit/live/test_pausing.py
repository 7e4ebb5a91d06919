"""A viewer that pauses while it follows: it costs its offset, and catches up from the store as the log lies by then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from logviewer.chunkstore import Archive, Channel, Entry, Frame, FrameView, LogEnd
from logviewer.live import ConsumerMixin, Hub, LogFileProducer, announce, chunk_store, hub, producer
from logviewer.live.store import open_reader
from logviewer.live.watch import RESTING_INTERVAL_SECONDS, SharedFrame

KEY = "demo/linux/1/1-compile/stdio-7"
LOG_ID = 7
WAIT_SECONDS = 10
BODY = b"".join(b"%-99d\n" % number for number in range(5000))


class Viewer(ConsumerMixin):
    """Takes frames into memory. With `at_once` it can be written to without waiting, as on Daphne."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.data = bytearray()
        self.frames: list[Frame] = []
        self.written_at_once = 0
        self.said: list[str] = []
        self.sizes: list[int] = []
        self.credit = 2**40
        self._at_once = at_once

    def room(self) -> int:
        return self.credit

    async def write_chunk(self, frame: Frame) -> None:
        self._take(frame)
        await asyncio.sleep(0)

    def write_chunk_now(self, frame: SharedFrame | FrameView) -> bool:
        if self._at_once:
            self.written_at_once += 1
            self._take(frame.frame() if isinstance(frame, FrameView) else frame)
        return self._at_once

    def _take(self, frame: Frame) -> None:
        assert frame.offset == len(self.data)
        assert len(frame.data) <= self.credit
        self.frames.append(frame)
        self.data += frame.data
        self.credit -= len(frame.data)
        if not self.credit:
            self.pause()

    async def caught_up(self, end: LogEnd) -> None:
        self.said.append("live")

    async def grew(self, end: LogEnd) -> None:
        self.sizes.append(end.size)

    async def finish(self, end: LogEnd) -> None:
        self.said.append("finish")

    async def reload(self, reason: str) -> None:
        self.said.append("reload")


@pytest.fixture(autouse=True)
def log() -> None:
    chunk_store().create(KEY)


def append(text: bytes) -> None:
    appended = chunk_store().append(KEY, [Entry(Channel.STDOUT, text)])
    announce.log_grew(LOG_ID, appended.end.size)


def finish() -> None:
    announce.log_grew(LOG_ID, chunk_store().finish(KEY).end.size)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def following(*viewers: Viewer) -> AsyncIterator[list[asyncio.Task[None]]]:
    """All of them see the log live."""
    tasks = [asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, viewer).run()) for viewer in viewers]
    await until(lambda: all(viewer.said == ["live"] for viewer in viewers))
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def open_texts() -> int:
    """How many descriptors this process has on the log's plain text, removed or not."""
    text, found = str(chunk_store().root / f"{KEY}.log"), 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed since it was listed
            found += str(each.readlink()).removesuffix(" (deleted)") == text
    return found


async def test_viewers_at_one_offset_are_written_the_same_bytes_without_waking_a_task() -> None:
    viewers = [Viewer(at_once=True) for _ in range(5)]
    encoded: list[int] = []

    def encode(frame: Frame) -> bytes:
        encoded.append(frame.offset)
        return frame.data

    async with following(*viewers):
        for number in range(1, 6):
            append(b"line %d\n" % number)
            await until(lambda number=number: all(viewer.data.count(b"\n") == number for viewer in viewers))
        for viewer in viewers:
            assert viewer.written_at_once == len(viewer.frames) == 5
        for frames in zip(*(viewer.frames for viewer in viewers), strict=True):
            assert len({id(frame) for frame in frames}) == 1
            assert len({id(frame.form(encode)) for frame in frames}) == 1
        assert encoded == [frame.offset for frame in viewers[0].frames]


async def test_what_does_not_fit_in_one_frame_is_left_to_the_task() -> None:
    viewer = Viewer(at_once=True)
    async with following(viewer) as tasks:
        append(BODY)
        finish()
        await asyncio.wait_for(tasks[0], WAIT_SECONDS)
    assert bytes(viewer.data) == BODY
    assert viewer.said == ["live", "finish"]


@pytest.mark.parametrize("at_once", [False, True], ids=["by-a-task", "at-once"])
async def test_a_viewer_that_is_given_credit_bit_by_bit_has_one_reader_all_the_while(
    at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(producer, "open_reader", lambda key: (opened.append(key), open_reader(key))[1])
    append(BODY)
    finish()
    viewer = Viewer(at_once=at_once)
    viewer.credit = 10_000
    task = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, viewer).run())
    for number in range(1, len(BODY) // 10_000 + 1):
        await until(lambda number=number: len(viewer.data) == 10_000 * number)
        viewer.credit = 10_000
        viewer.resume()
    await asyncio.wait_for(task, WAIT_SECONDS)
    assert bytes(viewer.data) == BODY
    assert opened == [KEY]
    assert viewer.said == ["finish"]


async def test_a_viewer_that_stays_without_credit_soon_holds_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "READER_KEPT_SECONDS", 0.05)
    append(BODY)
    viewer = Viewer()
    viewer.credit = 10_000
    task = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, viewer).run())
    await until(lambda: len(viewer.data) == 10_000)
    texts = open_texts()
    await until(lambda: open_texts() == texts - 1)
    viewer.credit = 2**40
    viewer.resume()
    finish()
    await asyncio.wait_for(task, WAIT_SECONDS)
    assert bytes(viewer.data) == BODY


@pytest.mark.parametrize("at_once", [False, True], ids=["by-a-task", "at-once"])
async def test_a_viewer_whose_credit_is_spent_in_the_live_phase_pauses_and_misses_nothing(at_once: bool) -> None:
    viewer = Viewer(at_once=at_once)
    async with following(viewer) as tasks:
        viewer.credit = 1_000
        append(BODY)
        await until(lambda: len(viewer.data) == 1_000)
        append(BODY)
        await until(lambda: viewer.sizes and viewer.sizes[-1] == 2 * len(BODY))
        assert len(viewer.data) == 1_000
        viewer.credit = 2**40
        viewer.resume()
        finish()
        await asyncio.wait_for(tasks[0], WAIT_SECONDS)
    assert bytes(viewer.data) == BODY + BODY
    assert viewer.said == ["live", "finish"]


async def test_a_viewer_that_goes_on_sees_the_end_of_what_came_while_it_rested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LOOK_INTERVAL_SECONDS", 3600.0)  # nothing but announcements
    viewer = Viewer(at_once=True)
    async with following(viewer):
        watch = next(iter(Hub.of_loop()._watches.values()))
        viewer.credit = 1_000
        append(BODY)
        await until(lambda: len(viewer.data) == 1_000)
        append(BODY)
        await until(lambda: watch.end.size == 2 * len(BODY) and watch.resting.is_idle())
        watch.resting._interval_seconds = 3600.0  # the viewer goes on before that flush, however slow the machine is
        append(BODY)
        await until(lambda: not watch.resting.is_idle())
        viewer.credit = 2**40
        viewer.resume()
        await until(lambda: len(viewer.data) == 3 * len(BODY))


async def test_a_paused_viewer_is_woken_twice_a_second_however_often_others_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: dict[LogFileProducer, int] = {}
    woken = LogFileProducer._woken
    monkeypatch.setattr(
        LogFileProducer, "_woken", lambda self: (calls.update({self: calls.get(self, 0) + 1}), woken(self))
    )
    paused, follows = Viewer(), Viewer()
    async with following(paused, follows):
        resting = paused.producer
        paused.pause()
        calls.clear()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(1, 31):
            append(b"line\n")
            await until(lambda number=number: len(follows.data) == 5 * number)
        intervals = (loop.time() - began) / RESTING_INTERVAL_SECONDS
        assert calls.get(resting, 0) <= intervals + 1
        assert calls[follows.producer] == 30
        assert not paused.data


async def test_a_paused_viewer_holds_neither_reader_nor_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    append(BODY * 20)  # cold, as nobody watched while it was written: the viewer opens it for itself
    viewer = Viewer()
    viewer.credit = len(BODY)
    running = asyncio.ensure_future(LogFileProducer(LOG_ID, KEY, viewer).run())
    await until(lambda: len(viewer.data) == len(BODY))
    await until(lambda: open_texts() == 2)  # the writer's, and the watch's, which all viewers share
    watch = next(iter(Hub.of_loop()._watches.values()))
    assert not watch.viewers.listeners
    assert not watch._frames
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await until(lambda: open_texts() == 1)


@pytest.mark.parametrize("form", ["open", "finished", "sealed", "moved"])
async def test_a_paused_viewer_catches_up_however_the_log_lies_by_then(form: str, file_archive: Archive) -> None:
    chunk_store.cache_clear()  # it has an archive now
    viewer, other = Viewer(at_once=True), Viewer()
    async with following(viewer, other) as tasks:
        append(BODY)
        await until(lambda: len(viewer.data) == len(other.data) == len(BODY))
        viewer.pause()
        for _ in range(20):
            append(BODY)
        if form != "open":
            finish()
            await asyncio.wait_for(tasks[1], WAIT_SECONDS)
            assert len(other.data) == 21 * len(BODY)
        if form in ("sealed", "moved"):
            await asyncio.to_thread(chunk_store().seal, KEY)
        if form == "moved":
            await asyncio.to_thread(chunk_store().move, KEY)
        if form != "open":  # nobody is served any more: the watch lets the text, which may have been removed, go
            await until(lambda: not open_texts())
        viewer.resume()
        await until(lambda: len(viewer.data) == 21 * len(BODY))
        if form == "open":
            finish()
        await asyncio.wait_for(tasks[0], WAIT_SECONDS)
    assert bytes(viewer.data) == BODY * 21
    assert viewer.said == ["live", "finish"]
    assert Hub.of_loop().watched_logs == 0


async def test_a_finished_log_that_was_replaced_by_a_shorter_one_is_reloaded() -> None:
    viewer = Viewer()
    async with following(viewer) as tasks:
        append(b"before\n")
        await until(lambda: viewer.data)
        viewer.pause()
        append(BODY)
        finish()
        await until(lambda: not open_texts())
        chunk_store().delete(KEY)
        chunk_store().create(KEY)
        append(b"void\n")
        viewer.resume()
        await asyncio.wait_for(tasks[0], WAIT_SECONDS)
    assert viewer.said == ["live", "reload"]
    assert bytes(viewer.data) == b"before\n"
