"""/ws/intake/: a writer sends the output of many logs over one socket (websocket.md, "Writing").

Frames of one log are stored in the order they came, those of different logs side by side. What is stored is
acknowledged together, so that small frames cost little; what waits is bounded, and beyond that nothing is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, MutableMapping, Sequence
from functools import partial
from typing import Any

from logviewer.chunkstore import LogLocked
from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope, identify
from logviewer.doors.intake_frames import IntakeFrame, MalformedFrame, Stored, parse_frame, store_frames
from logviewer.doors.rates import Meter
from logviewer.doors.socket import BAD_REQUEST, Gone, Refused, Socket
from logviewer.doors.uploads import LockWait, Target
from logviewer.live.database import in_database
from logviewer.live.presence import presence
from logviewer.live.threads import in_writing_thread
from logviewer.resources import access
from logviewer.resources.errors import AccessError
from logviewer.resources.problems import internal, problem_from

logger = logging.getLogger(__name__)

WINDOW_BYTES = 4 * 1024 * 1024
"""What a writer may have unacknowledged (websocket.md)."""

FRAMING_BYTES = 256 * 1024
"""Room beyond that for headers and framing, as a body over HTTP has 64 KiB for each MiB."""

MAX_WAITING_FRAMES = 4096
"""Frames without an answer; beyond them nothing is read, for a million tiny ones take more memory than their bytes."""

RECEIVED_INTERVAL_SECONDS = 0.05
"""A log's writer is told at most this often how far its log has come …"""

RECEIVED_BYTES = 512 * 1024
"""… but for this much, at once: 4 MiB twenty times a second would be 84 MB/s (ADR 0016)."""

MAX_JOBS = 4
"""Half of the writing threads: one socket never has them all. One for each MAX_JOB_BYTES that wait: threads that store
small frames side by side wait for each other and the event loop, which tripled the time to their acknowledgement."""

MAX_JOB_BYTES = 1024 * 1024
MAX_JOB_LOGS = 64
"""What is stored in one go on a thread: the hop there and back costs as much as a small frame."""

MAX_LOOKED_UP_LOGS = 200
"""In one query, as a build's logs are begun together."""

MAX_IDLE_LOGS = 4096
"""Logs that a socket remembers between their frames; one that was forgotten is looked up again."""


class _Lane:
    """One log of a socket: the frames that wait for being stored, and what is to be said of those that were."""

    __slots__ = (
        "busy", "error", "frames", "lock_wait", "log_id", "received", "rights", "said_at", "saying", "target", "timer",
        "unsaid_bytes", "unsaid_frames", "viewer_came",
    )  # fmt: skip

    def __init__(self, log_id: int) -> None:
        self.log_id = log_id
        self.frames: deque[IntakeFrame] = deque()
        self.busy = False  # being looked up, stored, or waiting for either
        self.rights = 0  # the look at the caller's rights that the next two are of
        self.target: Target | None = None
        self.error: AccessError | None = None
        self.lock_wait: LockWait | None = None
        self.received: int | None = None
        self.unsaid_bytes = self.unsaid_frames = 0  # of frames that are stored and not acknowledged yet
        self.saying = False  # in the outbox: what is stored until it is sent is said with it
        self.said_at = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.viewer_came: Callable[[], None]


class Intake(Socket):
    """A writer's socket."""

    subprotocol = "buildlogs.v1"
    caller: access.Caller

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._rights = 0
        self._lanes: OrderedDict[int, _Lane] = OrderedDict()
        self._unknown: deque[_Lane] = deque()
        self._looking_up = False
        self._ready: deque[_Lane] = deque()
        self._jobs = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._unanswered_bytes = self._unanswered_frames = 0
        self._unsaid: set[_Lane] = set()
        self._unsaid_bytes = 0  # of those
        self._room = asyncio.Event()
        self._all_answered = asyncio.Event()
        self._all_answered.set()
        self._outbox: deque[_Lane | tuple[dict[str, Any], int]] = deque()
        self._filled = asyncio.Event()

    # Who writes.

    async def admit(self) -> None:
        """Look at who is calling; which logs they may write is looked at with each log's next frame."""
        caller = await identify(self.scope)
        await in_database(access.check_is_writer, caller)
        self.caller = caller
        self._rights += 1

    async def _look_up_waiting(self) -> None:
        """Find out whether the caller may write the logs that wait for it, then go on with their frames."""
        while self._unknown:
            lanes = [self._unknown.popleft() for _ in range(min(len(self._unknown), MAX_LOOKED_UP_LOGS))]
            rights = self._rights
            try:
                answers = await in_database(access.writable_logs, self.caller, [lane.log_id for lane in lanes])
            except Exception as error:
                self._go_on_unasked(lanes, error)
                continue
            for lane in lanes:
                answer = answers[lane.log_id]
                lane.target = None if isinstance(answer, AccessError) else Target.of(answer)
                lane.error = answer if isinstance(answer, AccessError) else None
                lane.rights = rights
                self._go_on(lane)
        self._looking_up = False

    def _go_on_unasked(self, lanes: Sequence[_Lane], error: Exception) -> None:
        """The database could not be asked: what could be written to before can be as long as it is away."""
        logger.warning("rights to %d logs could not be looked at: %s", len(lanes), error)
        for lane in lanes:
            if lane.target is None:
                self._refuse_all(lane, error)
            else:
                self._make_ready(lane)

    # Frames come in.

    async def take_event(self, event: MutableMapping[str, Any]) -> None:
        """Take a frame; while this waits, nothing more is read."""
        message = event.get("bytes")
        if message is None:
            raise Refused(BAD_REQUEST, "a writer sends binary frames")
        try:
            frame = parse_frame(message)
        except MalformedFrame as error:
            raise Refused(BAD_REQUEST, str(error)) from None
        await self._stay_within_rate(frame.size_bytes)
        self._unanswered_bytes += frame.size_bytes
        self._unanswered_frames += 1
        self._all_answered.clear()
        if self._unanswered_bytes > WINDOW_BYTES + FRAMING_BYTES:
            raise Refused(BAD_REQUEST, f"more than {WINDOW_BYTES} bytes were sent without an acknowledgement")
        self._take_frame(frame)
        while self._unanswered_frames >= MAX_WAITING_FRAMES:
            self._room.clear()
            await self._room.wait()

    async def _stay_within_rate(self, size_bytes: int) -> None:
        """Wait until the caller may send so much, as one who posts would be told to."""
        meter: Meter | None = self.scope.get("meter")
        if meter is None:
            return
        while True:  # others of the same caller may take what it waited for
            wait_seconds = meter.wait_seconds(size_bytes)
            if not wait_seconds:
                break
            await asyncio.sleep(wait_seconds)
        meter.take(size_bytes)

    def _take_frame(self, frame: IntakeFrame) -> None:
        lane = self._lane(frame.log_id)
        lane.frames.append(frame)
        if not lane.busy:
            lane.busy = True
            self._go_on(lane)

    def _lane(self, log_id: int) -> _Lane:
        """The log's lane; it is now the one used last."""
        lane = self._lanes.get(log_id)
        if lane is None:
            lane = self._lanes[log_id] = _Lane(log_id)
            lane.viewer_came = partial(self._tell_flush_interval, lane)
            presence.listen(log_id, lane.viewer_came)
            if len(self._lanes) > MAX_IDLE_LOGS:
                self._forget_idle()
        self._lanes.move_to_end(log_id)
        return lane

    def _forget_idle(self) -> None:
        """Forget the lane that was idle for longest; there are no more than MAX_WAITING_FRAMES that are not."""
        for lane in self._lanes.values():
            if not lane.busy and not lane.unsaid_frames and not lane.saying:
                self._forget(lane)
                return

    def _forget(self, lane: _Lane) -> None:
        """Let a lane go; frames that wait in it are stored all the same."""
        del self._lanes[lane.log_id]
        presence.unlisten(lane.log_id, lane.viewer_came)
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None

    def _go_on(self, lane: _Lane) -> None:
        """Do what comes next for a lane that is busy."""
        if not lane.frames:
            lane.busy = False
        elif lane.rights != self._rights:
            self._unknown.append(lane)
            if not self._looking_up:
                self._looking_up = True
                self._spawn(self._look_up_waiting())
        elif lane.error is not None:
            self._refuse_all(lane, lane.error)
        else:
            self._make_ready(lane)

    def _make_ready(self, lane: _Lane) -> None:
        """Have a lane's frames stored; a few jobs do that for all of them."""
        self._ready.append(lane)
        if self._jobs < min(MAX_JOBS, 1 + self._unanswered_bytes // MAX_JOB_BYTES):
            self._jobs += 1
            self._spawn(self._store_ready())

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Frames are stored.

    async def _store_ready(self) -> None:
        """Store what is ready, on a thread, until nothing is."""
        try:
            while self._ready:
                batches = self._next_batches()
                work = [(lane.target, frames) for lane, frames in batches if lane.target is not None]
                outcomes = await in_writing_thread(_store_batches, work)
                for (lane, frames), stored in zip(batches, outcomes, strict=True):
                    self._settle(lane, frames, stored)
        finally:
            self._jobs -= 1

    def _next_batches(self) -> list[tuple[_Lane, list[IntakeFrame]]]:
        """Frames of lanes that are ready, for one job."""
        batches: list[tuple[_Lane, list[IntakeFrame]]] = []
        room_bytes = MAX_JOB_BYTES
        while self._ready and len(batches) < MAX_JOB_LOGS and room_bytes > 0:
            lane = self._ready.popleft()
            frames: list[IntakeFrame] = []
            for frame in lane.frames:
                room_bytes -= frame.size_bytes
                if frames and room_bytes < 0:
                    break
                frames.append(frame)
            batches.append((lane, frames))
        return batches

    def _settle(self, lane: _Lane, frames: list[IntakeFrame], stored: Stored) -> None:
        """Take note of what became of a lane's first frames, and go on with the next."""
        for _ in range(min(stored.done, len(lane.frames))):  # a socket that was refused has dropped what waited
            lane.frames.popleft()
        if stored.end is not None:
            lane.received = stored.end.received
            refused = {index for index, _ in stored.errors}
            sizes = [frames[index].size_bytes for index in range(stored.done) if index not in refused]
            self._acknowledge(lane, sum(sizes), len(sizes))
        for index, error in stored.errors:
            self._refuse_frame(lane, frames[index], error)
        if stored.done:
            lane.lock_wait = None
        if stored.locked is not None:
            self._wait_for_lock(lane, stored.locked)
        else:
            self._go_on(lane)

    def _wait_for_lock(self, lane: _Lane, error: LogLocked) -> None:
        """Try again after a pause; what waits is refused when the other writer held the log for too long."""
        lane.lock_wait = lane.lock_wait or LockWait()
        pause_seconds = lane.lock_wait.next_pause()
        if pause_seconds is None:
            lane.lock_wait = None
            self._refuse_all(lane, error)
        else:
            asyncio.get_running_loop().call_later(pause_seconds, self._go_on, lane)

    # Answers.

    def _acknowledge(self, lane: _Lane, size_bytes: int, frames: int) -> None:
        """Say how far the log has come: now, if that was not said lately or much is unsaid, else a little later."""
        lane.unsaid_bytes += size_bytes
        lane.unsaid_frames += frames
        if lane.saying:
            return
        self._unsaid.add(lane)
        self._unsaid_bytes += size_bytes
        if self._unsaid_bytes >= RECEIVED_BYTES:
            for other in tuple(self._unsaid):
                self._say_received(other)
            return
        loop = asyncio.get_running_loop()
        due = lane.said_at + RECEIVED_INTERVAL_SECONDS
        if due <= loop.time():
            self._say_received(lane)
        elif lane.timer is None:
            lane.timer = loop.call_at(due, self._say_received, lane)

    def _say_received(self, lane: _Lane) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
            lane.timer = None
        if not lane.saying:
            lane.saying = True
            if lane in self._unsaid:
                self._unsaid.discard(lane)
                self._unsaid_bytes -= lane.unsaid_bytes
            self._outbox.append(lane)
            self._filled.set()

    def _tell_flush_interval(self, lane: _Lane) -> None:
        """Somebody begins to watch the log: its writer had better know before it sends again."""
        if lane.received is not None:
            self._say_received(lane)

    def _refuse_all(self, lane: _Lane, error: Exception) -> None:
        """Answer all frames that wait in a lane with the same error."""
        while lane.frames:
            self._refuse_frame(lane, lane.frames.popleft(), error)
        lane.busy = False

    def _refuse_frame(self, lane: _Lane, frame: IntakeFrame, error: Exception) -> None:
        """Tell the writer that nothing of a frame was stored, after what was stored before it."""
        if lane.unsaid_frames:
            self._say_received(lane)
        self._outbox.append((_error_message(frame, error), frame.size_bytes))
        self._filled.set()

    async def work(self) -> None:
        """Send the answers."""
        while True:
            self._filled.clear()
            while self._outbox:
                await self._answer(self._outbox.popleft())
            await self._filled.wait()

    async def _answer(self, answer: _Lane | tuple[dict[str, Any], int]) -> None:
        """Send one answer; what it is for counts as unanswered until the transport has taken it."""
        if isinstance(answer, tuple):
            message, size_bytes = answer
            await self.say(message)
            self._answered(size_bytes, 1)
            return
        lane = answer
        lane.saying = False
        lane.said_at = asyncio.get_running_loop().time()
        size_bytes, frames = lane.unsaid_bytes, lane.unsaid_frames
        lane.unsaid_bytes = lane.unsaid_frames = 0
        flush_ms = presence.flush_ms(lane.log_id)
        await self.say({"type": "received", "log": lane.log_id, "offset": lane.received, "flush_ms": flush_ms})
        self._answered(size_bytes, frames)

    def _answered(self, size_bytes: int, frames: int) -> None:
        self._unanswered_bytes -= size_bytes
        self._unanswered_frames -= frames
        if self._unanswered_frames <= MAX_WAITING_FRAMES // 2:
            self._room.set()
        if not self._unanswered_frames:
            self._all_answered.set()

    # The end.

    async def drain(self) -> None:
        """The server is going away: answer all that was taken."""
        await self._all_answered.wait()

    def lost(self) -> None:
        """Nobody is left to be told anything."""
        for lane in tuple(self._lanes.values()):
            self._forget(lane)

    async def _serve(self) -> None:
        """As every socket; what a writer that has gone had sent is still stored, what a refused one had is not."""
        try:
            with presence.writer():
                await super()._serve()
        except (Gone, OSError):
            raise
        except BaseException:
            for lane in self._lanes.values():
                lane.frames.clear()
            raise


def _store_batches(batches: Sequence[tuple[Target, Sequence[IntakeFrame]]]) -> list[Stored]:
    """Store what is ready of several logs, one after the other; for a writing thread."""
    return [store_frames(target, frames) for target, frames in batches]


def _error_message(frame: IntakeFrame, error: Exception) -> dict[str, Any]:
    """What the writer is told of a frame that was refused: HTTP's problem; `at` is the frame's offset."""
    problem = problem_from(error)
    if problem is None:
        logger.error("a frame could not be stored", exc_info=error)
        problem = internal()
    message = {"type": "error", "log": frame.log_id, "problem": problem.type, "status": problem.status}
    if "received" in problem.members:
        message["offset"] = problem.members["received"]
    if "Retry-After" in problem.headers:
        message["retry_after"] = int(problem.headers["Retry-After"])
    return {**message, "at": frame.offset, "detail": problem.detail}
