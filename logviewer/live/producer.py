"""LogFileProducer: writes one log into one consumer, what is stored first, then what comes.

After Buildbot 0.8's `LogFileProducer`, whose rule "subscribe before the last yield" reads here: join the hub, then read
to the end, then trust offsets. Unlike there, a consumer may pause at any time: the producer soon holds
nothing but its offset, and goes on from the store.
"""

from __future__ import annotations

import asyncio

from logviewer.chunkstore import Frame, FrameView, LogReader, NoSuchLog
from logviewer.live.consumer import Consumer
from logviewer.live.hub import Hub
from logviewer.live.presence import presence
from logviewer.live.store import open_reader
from logviewer.live.threads import in_reading_thread, opened_in_reading_thread
from logviewer.live.watch import MAX_FRAME_BYTES, MAX_FRAME_RUNS, RESTING_INTERVAL_SECONDS, LogWatch

YIELD_BYTES = 512 * 1024
"""After so many bytes that were written without waiting, half a millisecond's work, the loop gets a turn."""

READER_KEPT_SECONDS = 0.5
"""How long a paused producer keeps its descriptors: a fast viewer that acknowledges half a window is back at once."""


class LogFileProducer:
    """Feeds `consumer` with the log's text from `offset` on until the log is finished or nobody wants more.

    Offsets of the frames are contiguous, whatever is announced, lost, doubled or late. `redactions` is what the log's
    row said before anything was read; without it nobody looks whether the log was deleted or redacted meanwhile.
    """

    def __init__(
        self, log_id: int, key: str, consumer: Consumer, *, offset: int = 0, redactions: int | None = None
    ) -> None:
        self.log_id = log_id
        self.offset = offset
        self._key = key
        self._consumer = consumer
        self._wake = asyncio.Event()
        self._paused = False
        self._has_rested = False
        self._stopped = False
        self._follows = False
        self._unyielded_bytes = 0
        self._own_reader: LogReader | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self._told_size = 0
        self._told_at = 0.0
        self._reminder: asyncio.TimerHandle | None = None
        self._watch: LogWatch | None = None
        self._redactions = redactions
        self._task: asyncio.Task[None] | None = None
        self._is_deleted = self._is_redacted = False

    def __repr__(self) -> str:
        return f"<LogFileProducer log={self.log_id} offset={self.offset}>"

    @property
    def bytes_behind(self) -> int:
        """Bytes of text that are stored and not yet written to the consumer."""
        return 0 if self._watch is None else max(0, self._watch.end.size - self.offset)

    @property
    def finished_log(self) -> int | None:
        """The log's id, if it is finished and its row is to be looked at."""
        at_end = self._watch is not None and self._watch.end.finished
        return self.log_id if at_end and self._redactions is not None else None

    def row_is(self, redactions: int | None) -> None:
        """End, wherever it is, where the log was deleted (None) or redacted since this began."""
        self._is_deleted = redactions is None
        self._is_redacted = redactions not in (None, self._redactions)
        if (self._is_deleted or self._is_redacted) and self._task is not None:
            self._task.cancel()
            self._task = None

    def pause_producing(self) -> None:
        """Write nothing until `resume_producing`: the log's growth is told twice a second, and wakes nobody between.

        Soon nothing is held but the offset.
        """
        self._paused = self._has_rested = True
        if self._watch is not None:
            self._watch.rest(self._woken)
        self._wake.set()

    def resume_producing(self) -> None:
        """Go on where it stopped."""
        self._paused = False
        if self._watch is not None:
            self._watch.listen(self._woken)
        self._wake.set()

    def stop_producing(self) -> None:
        """End; `run` returns soon."""
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        """Produce until the end. Cancelling it is allowed at any time.

        Raises:
            NoSuchLog: the store has no such log, or it was deleted meanwhile.
            ArchiveAway: the log lies in another store, which does not answer.
        """
        task = self._task = asyncio.current_task()
        try:
            with presence.viewer(self.log_id):
                await self._join_and_produce()
        except asyncio.CancelledError:
            if task is None or not (self._is_deleted or self._is_redacted) or task.uncancel():
                raise  # the caller cancelled as well
        finally:
            self._task = None
        if self._is_deleted:
            raise NoSuchLog(self._key)
        if self._is_redacted:
            await self._consumer.reload("lines of the log were redacted")

    async def _join_and_produce(self) -> None:
        hub = Hub.of_loop()
        watch = self._watch = await hub.watch(self.log_id, self._key, self._woken)
        hub.followers.add(self)
        try:
            self._consumer.register_producer(self, True)
            try:
                await self._produce(watch)
            finally:
                self._consumer.unregister_producer()
        finally:
            hub.followers.discard(self)
            self._watch = None
            hub.unwatch(watch, self._woken)
            self._close_own_reader()
            if self._reminder is not None:
                self._reminder.cancel()

    async def _produce(self, watch: LogWatch) -> None:
        """Write what is there, then wait for more, until finished or stopped."""
        told_live = False
        self._told_size = watch.end.size
        while not self._stopped:
            self._wake.clear()
            end = watch.end
            if self.offset > end.size:
                await self._consumer.reload("the log is shorter than it was: it was repaired or replaced")
                return
            if self.offset < end.size:
                if not await self._write_next(watch):
                    await self._wake.wait()
            elif end.finished:
                await self._consumer.finish(end)
                return
            elif self._has_rested and not self._paused:
                self._has_rested = False
                watch.refresh()  # a flush that became due meanwhile looks only if somebody rests when it begins
            elif not told_live:
                told_live = True
                self._close_own_reader()
                await self._consumer.caught_up(end)
            else:
                self._follows = True
                await self._wake.wait()
                self._follows = False

    def _woken(self) -> None:
        """The log's end may have moved: where the consumer takes the news at once, the task sleeps on.

        A task that wakes, with all that its `send` passes through, costs five times as much; at 1000 viewers of a log
        that decides whether the loop keeps up.
        """
        if not (self._follows and not self._wake.is_set() and self._write_now()):
            self._wake.set()

    def _write_now(self) -> bool:
        """Write what is new, if it is one frame and nothing has to wait; False where the task has to look after it."""
        watch = self._watch
        if watch is None or self._paused or self._stopped or not watch.is_warm(self.offset):
            return False
        if self.offset < watch.end.size:
            try:
                frame = watch.frame(self.offset, self._consumer.room())
                if frame is None or not self._consumer.write_chunk_now(frame):
                    return False
            except Exception:  # the task meets it again, and there is somebody to tell
                return False
            self.offset = frame.end
        return self.offset == watch.end.size and not watch.end.finished

    async def _write_next(self, watch: LogWatch) -> bool:
        """Write one frame; False when it has to wait to be woken."""
        if self._paused:
            self._close_own_reader_soon()
            await self._tell_growth(watch)
            return False
        self._keep_own_reader()
        room = self._consumer.room()
        if watch.is_warm(self.offset):
            self._close_own_reader()
            frame: Frame | None = watch.frame(self.offset, room)
        else:
            # Never beyond the end as the watch knows it: an offset beyond it would read as a log that shrank.
            room = min(room, MAX_FRAME_BYTES, watch.end.size - self.offset)
            view = self._view(room)
            if view is not None and self._consumer.write_chunk_now(view):
                self.offset = view.end
                await self._take_turns(len(view.data))
                return True
            frame = await self._read(watch, room) if view is None else view.frame()
        if frame is None:  # the text is shorter than its index says: the next look, or the repair, will tell
            return self.offset > watch.end.size
        self.offset = frame.end
        await self._consumer.write_chunk(frame)
        await self._take_turns(len(frame.data))
        return True

    def _view(self, max_bytes: int) -> FrameView | None:
        """The frame at our offset, if it lies in the page cache.

        The hop to a thread and back costs more than reading what lies there, and so does new memory to read it into.
        """
        if self._own_reader is None:
            return None
        return self._own_reader.frame_now(self.offset, max_bytes=max_bytes, max_runs=MAX_FRAME_RUNS)

    async def _read(self, watch: LogWatch, max_bytes: int) -> Frame | None:
        """The frame at our offset, in a thread."""
        if self._own_reader is None:
            self._own_reader = await opened_in_reading_thread(open_reader, self._key)
            if self._own_reader.end().size < watch.end.size:
                watch.correct(self._own_reader.end())
                return None
        return await in_reading_thread(
            self._own_reader.frame, self.offset, max_bytes=max_bytes, max_runs=MAX_FRAME_RUNS
        )

    async def _take_turns(self, written_bytes: int) -> None:
        """Give the loop a turn now and then."""
        self._unyielded_bytes += written_bytes
        if self._unyielded_bytes >= YIELD_BYTES:
            self._unyielded_bytes = 0
            await asyncio.sleep(0)

    async def _tell_growth(self, watch: LogWatch) -> None:
        """Tell a paused consumer of the log's size, at most twice a second."""
        if watch.end.size <= max(self._told_size, self.offset):
            return
        loop = asyncio.get_running_loop()
        wait = self._told_at + RESTING_INTERVAL_SECONDS - loop.time()
        if wait > 0:
            if self._reminder is None:
                self._reminder = loop.call_later(wait, self._remind)
            return
        self._told_size, self._told_at = watch.end.size, loop.time()
        await self._consumer.grew(watch.end)

    def _remind(self) -> None:
        self._reminder = None
        self._wake.set()

    def _keep_own_reader(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _close_own_reader_soon(self) -> None:
        if self._own_reader is not None and self._reader_timer is None:
            loop = asyncio.get_running_loop()
            self._reader_timer = loop.call_later(READER_KEPT_SECONDS, self._close_own_reader)

    def _close_own_reader(self) -> None:
        self._keep_own_reader()
        if self._own_reader is not None:
            self._own_reader.close()
            self._own_reader = None
