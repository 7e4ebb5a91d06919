"""/ws/logs/{id}/: a viewer watches a log (websocket.md, subprotocol `buildlogs.v1`)."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

from logviewer.chunkstore import Frame, FrameView, LogEnd, NoSuchLog, Position
from logviewer.doors.finished_row import finished_row
from logviewer.doors.frames import encode_frame, websocket_message, websocket_pieces
from logviewer.doors.guard import write_of
from logviewer.doors.http import Receive, Send
from logviewer.doors.identity import Scope, readable_log
from logviewer.doors.socket import BAD_REQUEST, NORMAL, RELOAD, Refused, Socket
from logviewer.live import ConsumerMixin, LogFileProducer, chunk_store
from logviewer.live.consumer import Producer
from logviewer.live.threads import in_reading_thread
from logviewer.live.watch import MAX_FRAME_BYTES, SharedFrame
from logviewer.models import LogFile, LogState

DEFAULT_WINDOW_BYTES = 1_048_576
MIN_WINDOW_BYTES = 65_536
MAX_WINDOW_BYTES = 4_194_304
MAX_TAIL_LINES = 2**53
MAX_OFFSET = 2**63 - 1


class WatchLog(ConsumerMixin, Socket):
    """A viewer's socket: the consumer of one log. A window of unacknowledged bytes pauses and resumes the producer."""

    subprotocol = "buildlogs.v1"
    log: LogFile

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._write = write_of(scope)
        self._window = DEFAULT_WINDOW_BYTES
        self._sent = self._acked = 0
        self._acked_more = asyncio.Event()
        self._paused_by_client = False

    async def admit(self) -> None:
        """Look up the log, if the caller may read it."""
        self.log = await readable_log(self.scope, int(self.scope["url_route"]["kwargs"]["log_id"]))

    async def work(self) -> None:
        """Say where the stream starts, then be fed."""
        start_text, self._window = self._wishes()
        try:
            start, end = await in_reading_thread(_start, self.log.key, start_text)
        except NoSuchLog:
            raise Refused(4404, "the text of this log is not in the store") from None
        if start is None:
            await self.reload(f"the log has only {end.size} bytes: start again from 0")
            return
        self._sent = self._acked = start.offset
        state = LogState.FINISHED if end.finished else self.log.state
        await self.say(
            {
                "type": "hello",
                "log": self.log.pk,
                "state": state,
                "offset": start.offset,
                "line": start.line,
                "size": end.size,
                "lines": end.lines,
                "window": self._window,
            }
        )
        await LogFileProducer(
            self.log.pk, self.log.key, self, offset=start.offset, redactions=self.log.redactions
        ).run()

    def lost(self) -> None:
        """Stop the producer."""
        self.connection_lost()

    def _wishes(self) -> tuple[str, int]:
        """The query: where to start and how much may be in flight."""
        query = parse_qs(self.scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
        for name in ("from", "window"):
            if len(query.get(name, [])) > 1:
                raise Refused(BAD_REQUEST, f"{name} is given more than once")
        window = _whole_number(query.get("window", [str(DEFAULT_WINDOW_BYTES)])[0], "window", MAX_WINDOW_BYTES)
        if window and window < MIN_WINDOW_BYTES:
            raise Refused(BAD_REQUEST, f"window is 0 or from {MIN_WINDOW_BYTES} to {MAX_WINDOW_BYTES}, not {window}")
        start = query.get("from", ["0"])[0]
        kind, _, number = start.rpartition(":")
        if kind not in ("", "tail") or (start.startswith(":")):
            raise Refused(BAD_REQUEST, f"from is a byte offset or tail:N, not {start[:40]!r}")
        _whole_number(number, "from", MAX_TAIL_LINES if kind else MAX_OFFSET)
        return start, window

    # The client's messages.

    def take(self, message: dict[str, Any]) -> None:
        """An ack, pause, resume or stop."""
        match message:
            case {"type": "ack", "offset": int(offset), **rest} if not rest and not isinstance(offset, bool):
                self._take_ack(offset)
            case {"type": "pause", **rest} if not rest:
                self._paused_by_client = True
                self.pause()
            case {"type": "resume", **rest} if not rest:
                self._paused_by_client = False
                self._resume_if_room()
            case {"type": "stop", **rest} if not rest:
                self._stop()
            case _:
                raise Refused(BAD_REQUEST, "a viewer says ack with an offset, pause, resume or stop")

    def _take_ack(self, offset: int) -> None:
        if self.disconnected:  # said before the client saw its own `stop` take effect
            return
        if not self._acked <= offset <= self._sent:
            raise Refused(
                BAD_REQUEST, f"acknowledged {offset}, which is not from {self._acked} (before) to {self._sent} (sent)"
            )
        self._acked = offset
        self._acked_more.set()
        self._resume_if_room()

    def _stop(self) -> None:
        """Nobody wants more, as after a disconnect: the producer ends (one yet to come at once), the socket closes."""
        self.connection_lost()
        self._acked = self._sent
        self._acked_more.set()

    def _resume_if_room(self) -> None:
        if not self._paused_by_client and self.room() > 0:
            self.resume()

    # The producer's calls.

    def register_producer(self, producer: Producer, streaming: bool) -> None:
        """Take the producer; a client that said `pause` before there was one has it paused."""
        super().register_producer(producer, streaming)
        if self._paused_by_client:
            self.pause()

    def room(self) -> int:
        """What is left of the window; without acks, a frame at a time."""
        return self._window - (self._sent - self._acked) if self._window else MAX_FRAME_BYTES

    async def write_chunk(self, frame: Frame) -> None:
        """Send the frame, and pause the producer when the window is spent."""
        if not self._write_whole(frame):
            self._count(frame)
            await self.send_bytes(_encoded(frame))

    def write_chunk_now(self, frame: SharedFrame | FrameView) -> bool:
        """Write the frame past `send`, where the server has a way to."""
        return self._write_whole(frame)

    def _write_whole(self, frame: Frame | FrameView) -> bool:
        """Write past `send` and the copies that it makes; False where that cannot be."""
        if self._write is None or not self._write(*_pieces(frame)):
            return False
        self._count(frame)
        return True

    def _count(self, frame: Frame | FrameView) -> None:
        self._sent = frame.end
        if self.room() <= 0:
            self.pause()

    async def caught_up(self, end: LogEnd) -> None:
        """Tell the viewer that it sees the log as it is written from now on."""
        await self.say({"type": "live"})

    async def grew(self, end: LogEnd) -> None:
        """Tell a viewer that is behind how far the log has come."""
        await self.say({"type": "size", "size": end.size, "lines": end.lines})

    async def finish(self, end: LogEnd) -> None:
        """Tell the viewer that this was all; `serve` closes when it has acknowledged it."""
        row = await finished_row(self.log.pk)
        await self.say(
            {
                "type": "logFinished",
                "state": LogState.FINISHED,
                "size": end.size,
                "lines": end.lines,
                "sha256": row.sha256,
            }
        )
        while self._window and self._acked < end.size:
            self._acked_more.clear()
            await self._acked_more.wait()

    async def reload(self, reason: str) -> None:
        """Tell the viewer that what it has is void."""
        await self.say({"type": "reload", "reason": reason})
        raise _Reloaded

    async def _serve(self) -> None:
        """As every socket; a producer that ends by itself closes with 1000, after a reload with 1012."""
        try:
            await super()._serve()
        except _Reloaded:
            await self.close(RELOAD)
        else:
            await self.close(NORMAL)


def _encoded(frame: Frame) -> bytes:
    return frame.form(encode_frame) if isinstance(frame, SharedFrame) else encode_frame(frame)


def _pieces(frame: Frame | FrameView) -> tuple[bytes | memoryview, ...]:
    """The frame as it goes over the wire: in one piece, which is made once, for all who share it."""
    return (frame.form(websocket_message),) if isinstance(frame, SharedFrame) else websocket_pieces(frame)


class _Reloaded(Exception):
    """The viewer was told to start again."""


def _start(key: str, text: str) -> tuple[Position | None, LogEnd]:
    """Where the stream starts (None where the log does not reach that far), and where the log stands.

    One thread opens and closes the reader: a viewer that goes meanwhile leaves no descriptor behind.
    """
    kind, _, number = text.rpartition(":")
    with chunk_store().reader(key) as reader:
        end = reader.end()
        if kind == "tail":
            return reader.tail(int(number)), end
        return (reader.position(int(number)) if int(number) <= end.size else None), end


def _whole_number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) or int(text) > most:
        raise Refused(BAD_REQUEST, f"{name} must be a whole number from 0 to {most}, not {text[:40]!r}")
    return int(text)
