"""One watched log in one process: where it ends, who wants to know, and the bytes they share."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from logviewer.chunkstore import Frame, LogEnd, LogReader
from logviewer.live.flushing import Audience, Listener

logger = logging.getLogger(__name__)

MAX_FRAME_BYTES = 192 * 1024
"""Text in a frame: three extents of 64 KiB, and room for MAX_FRAME_RUNS runs below the contract's 256 KiB."""

MAX_FRAME_RUNS = 2048
"""Runs in a frame: at 25 bytes each in JSON 51 KB (contract: 4096)."""

SHARED_FRAMES = 2
"""Frames kept for viewers that stand at the same offset: the newest and the one before."""

WARM_BYTES = 4 * 1024 * 1024
"""How far behind the end bytes written while the log is watched are taken to be in the page cache."""

RESTING_INTERVAL_SECONDS = 0.5
"""Who takes nothing now is told of growth at most this often (websocket.md)."""


class SharedFrame(Frame):
    """A frame that all viewers at its offset get: each form of it is made once."""

    _forms: dict[Callable[[Frame], bytes], bytes] | None = None

    def form(self, encode: Callable[[Frame], bytes]) -> bytes:
        """The frame as `encode` makes it, which is asked once."""
        if self._forms is None:
            self._forms = {}
        encoded = self._forms.get(encode)
        if encoded is None:
            encoded = self._forms[encode] = encode(self)
        return encoded


class LogWatch:
    """What the viewers of one log in this process have in common. Lives on the event loop's thread.

    Each viewer leaves a callback: with `viewers` while it takes what comes, with `resting` while it takes nothing,
    because it is paused or its credit is spent. It costs one entry of a set in either case, and nothing is held for it.
    """

    def __init__(self, log_id: int, key: str, reader: LogReader) -> None:
        self.log_id = log_id
        self.key = key
        self.end = reader.end()
        self.joined_group = False
        self.viewers = Audience(self.refresh)
        self.resting = Audience(self.refresh, RESTING_INTERVAL_SECONDS)
        self.viewers.told = self.resting.told = self.end
        self._reader: LogReader | None = reader
        self._watched_from = self.end.size
        self._frames: OrderedDict[int, SharedFrame] = OrderedDict()

    @property
    def watched(self) -> bool:
        """Whether anybody still listens."""
        return bool(self.viewers.listeners or self.resting.listeners)

    def is_idle(self) -> bool:
        """Whether nobody is being told of the end, or is about to be."""
        return self.viewers.is_idle() and self.resting.is_idle()

    def listen(self, listener: Listener) -> None:
        """Call `listener` whenever the end has moved."""
        self.resting.listeners.discard(listener)
        self.viewers.listeners.add(listener)

    def rest(self, listener: Listener) -> None:
        """Call `listener` twice a second at most, if the end has moved."""
        self.viewers.listeners.discard(listener)
        self.resting.listeners.add(listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop calling `listener`."""
        self.viewers.listeners.discard(listener)
        self.resting.listeners.discard(listener)

    def refresh(self) -> LogEnd:
        """Look where the log ends now. A finished log ends where it ended."""
        if self._reader is None:
            return self.end
        try:
            end = self._reader.end()
        except Exception:
            logger.exception("log %s cannot be looked at", self.log_id)
            return self.end
        self.correct(end)
        return end

    def correct(self, end: LogEnd) -> None:
        """Take `end`, which somebody saw, for the log's end."""
        if end.size < self.end.size:
            self._frames.clear()
        self.end = end

    def tidy(self) -> None:
        """Let go of what nobody needs who is not being served just now; called once a second.

        That is what was shared in the last flush, and the descriptors of a finished log: it does not grow any more, and
        whoever has not read it yet opens it as it lies then, sealed or in another store.
        """
        if self.viewers.is_idle():
            self._frames.clear()
            self.let_go_of_a_finished_log()

    def let_go_of_a_finished_log(self) -> None:
        """Have all who read on open it for themselves; called before somebody joins, for it may have been redacted."""
        if self.end.finished:
            self.close()

    def is_warm(self, offset: int) -> bool:
        """Whether the bytes from `offset` on were written so lately that reading them will not wait for a disk."""
        return self._reader is not None and offset >= max(self._watched_from, self.end.size - WARM_BYTES)

    def frame(self, offset: int, max_bytes: int) -> SharedFrame | None:
        """The frame at `offset`, of at most `max_bytes`, read once for all viewers who stand there; warm bytes only.

        It never goes beyond `end`, so that what is shared stays true, for text is only appended.
        """
        shared = self._frames.get(offset)
        if shared is not None and len(shared.data) <= max_bytes:
            return shared
        if self._reader is None:
            return None
        most = min(MAX_FRAME_BYTES, self.end.size - offset)
        frame = self._reader.frame(offset, max_bytes=min(most, max_bytes), max_runs=MAX_FRAME_RUNS)
        if frame is None:
            return None
        shared = SharedFrame(*frame)
        if max_bytes >= most:  # not cut for the needs of one
            self._frames[offset] = shared
            while len(self._frames) > SHARED_FRAMES:
                self._frames.popitem(last=False)
        return shared

    def close(self) -> None:
        """Let the descriptors go."""
        self._frames.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
