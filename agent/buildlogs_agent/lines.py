"""Keeps lines of two channels whole: an unfinished line waits a moment for its end."""

from __future__ import annotations

from .wire import Buffer, Piece

HOLD_US = 100_000
"""An unfinished line is held back for at most 100 ms."""

MAX_HELD_BYTES = 64 * 1024
"""Held lines live in memory; a longer line is let go in parts."""


class LineHolder:
    """Orders pieces of two channels so that a line is not torn by the other channel's.

    Whole lines pass at once. The rest, an unfinished line, is held until its end comes, until `HOLD_US` have passed
    since its first byte, or until it exceeds `MAX_HELD_BYTES`. Times never go backwards in what comes out: a line
    that let another pass carries that one's time.
    """

    def __init__(self) -> None:
        self._held: dict[int, Piece] = {}
        self._last_time_us = 0

    @property
    def deadline_us(self) -> int | None:
        """When `expire` has something to let go, or None."""
        if not self._held:
            return None
        return min(piece.time_us for piece in self._held.values()) + HOLD_US

    def take(self, channel: int, time_us: int, data: bytes) -> list[Piece]:
        """Pieces that may go now that `data` came on `channel` at `time_us`."""
        ready: list[Piece] = []
        whole = data.rfind(b"\n") + 1
        rest: Buffer = data
        if whole:
            ready = self._release([channel] if channel in self._held else [])
            view = memoryview(data)
            ready.append(self._stamped(Piece(channel, time_us, view[:whole])))
            rest = view[whole:]
        return ready + self._hold(channel, time_us, rest)

    def _hold(self, channel: int, time_us: int, rest: Buffer) -> list[Piece]:
        if not len(rest):
            return []
        before = self._held.pop(channel, Piece(channel, time_us, b""))
        line = before._replace(data=b"".join((before.data, rest)))
        if len(line.data) > MAX_HELD_BYTES:
            return [self._stamped(line)]
        self._held[channel] = line
        return []

    def expire(self, now_us: int) -> list[Piece]:
        """Unfinished lines that have waited long enough, oldest first."""
        return self._release([channel for channel, piece in self._held.items() if now_us - piece.time_us >= HOLD_US])

    def flush(self) -> list[Piece]:
        """All that is held, oldest first."""
        return self._release(list(self._held))

    def _release(self, channels: list[int]) -> list[Piece]:
        pieces = sorted((self._held.pop(channel) for channel in channels), key=lambda piece: piece.time_us)
        return [self._stamped(piece) for piece in pieces]

    def _stamped(self, piece: Piece) -> Piece:
        self._last_time_us = max(self._last_time_us, piece.time_us)
        return piece._replace(time_us=self._last_time_us)
