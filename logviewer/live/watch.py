"""One watched log in one process: where it ends, who wants to know, and the bytes they share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from logviewer.chunkstore import Frame, LogReader

MAX_FRAME_BYTES = 192 * 1024
"""Text in a frame: three extents of 64 KiB, and room for MAX_FRAME_RUNS runs below the contract's 256 KiB."""

MAX_FRAME_RUNS = 2048
"""Runs in a frame: at 25 bytes each in JSON 51 KB (contract: 4096)."""

SHARED_FRAMES = 2
"""Frames kept for viewers that stand at the same offset: the newest and the one before."""

WARM_BYTES = 4 * 1024 * 1024
"""How far behind the end bytes written while the log is watched are taken to be in the page cache."""


class LogWatch:
    """What the viewers of one log in this process have in common. Lives on the event loop's thread.

    Joining and leaving cost O(1); each viewer leaves a callback that is called when the end moved.
    """

    def __init__(self, log_id: int, key: str, reader: LogReader) -> None:
        self.log_id = log_id
        self.key = key
        self.reader = reader
        self.end = reader.end()
        self.joined_group = False
        self.flushed_at = 0.0
        self.flush_due = False
        self._watched_from = self.end.size
        self._listeners: set[Callable[[], None]] = set()
        self._frames: OrderedDict[tuple[int, int], Frame] = OrderedDict()

    @property
    def watched(self) -> bool:
        """Whether anybody still listens."""
        return bool(self._listeners)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the end has moved."""
        self._listeners.add(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        """Stop calling `listener`."""
        self._listeners.discard(listener)

    def refresh(self) -> None:
        """Look where the log ends now, and wake the viewers if that is news."""
        end = self.reader.end()
        if end != self.end:
            if end.size < self.end.size:
                self._frames.clear()
            self.end = end
            for listener in tuple(self._listeners):
                listener()

    def is_warm(self, offset: int) -> bool:
        """Whether the bytes from `offset` on were written so lately that reading them will not wait for a disk."""
        return offset >= max(self._watched_from, self.end.size - WARM_BYTES)

    def frame(self, offset: int, max_bytes: int) -> Frame | None:
        """The frame of at most `max_bytes` at `offset`, read once for all viewers who ask for the same.

        Ask for no more than lies before `end`: then what is shared stays true, for text is only appended.
        """
        wanted = (offset, max_bytes)
        frame = self._frames.get(wanted)
        if frame is not None:
            return frame
        frame = self.reader.frame(offset, max_bytes=max_bytes, max_runs=MAX_FRAME_RUNS)
        if frame is not None:
            self._frames[wanted] = frame
            self._frames.move_to_end(wanted)
            while len(self._frames) > SHARED_FRAMES:
                self._frames.popitem(last=False)
        return frame

    def close(self) -> None:
        """Let the descriptors go."""
        self.reader.close()
