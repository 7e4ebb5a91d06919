"""What a command says, in the order in which the log shall hold it, counted and hashed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Optional

from .clock import now_us
from .lines import LineHolder
from .masking import Mask
from .wire import HEADER, STDERR, STDOUT, Piece

if TYPE_CHECKING:
    from .spool import Spool


class Recorder:
    """Between the pipes and the spool: masks secrets, keeps lines whole, counts and hashes. Used by one thread."""

    def __init__(self, spool: Spool, mask: Optional[Mask] = None) -> None:
        self._spool = spool
        self._mask = mask or Mask()
        self._channel_masks = {channel: self._mask.channel() for channel in (STDOUT, STDERR)}
        self._lines = LineHolder()
        self._sha256 = hashlib.sha256()
        self._at_line_start = True

    @property
    def deadline_us(self) -> Optional[int]:
        """When `expire` is to be called, or None while no line is held."""
        return self._lines.deadline_us

    def output(self, channel: int, time_us: int, data: bytes) -> None:
        """Bytes of stdout or stderr that were read at `time_us`."""
        mask = self._channel_masks[channel]
        if mask is not None:
            data = mask.take(data)
        self._store(self._lines.take(channel, time_us, data))

    def expire(self, time_us: int) -> None:
        """Let go what was held for long enough."""
        self._store(self._lines.expire(time_us))

    def flush(self) -> None:
        """Let go all that is held: nothing more will come of the channels."""
        for channel, mask in self._channel_masks.items():
            if mask is not None:
                self._store(self._lines.take(channel, now_us(), mask.complete()))
        self._store(self._lines.flush())

    def header(self, text: str) -> None:
        """Something the agent says itself; starts on a line of its own."""
        self._store(self._lines.flush())
        data = self._mask.text(text).encode("utf-8", "surrogateescape")
        self._store([Piece(HEADER, now_us(), data if self._at_line_start else b"\n" + data)])

    def close(self) -> tuple[int, Optional[str]]:
        """Byte count and SHA-256 (None where bytes were dropped) of all payload; nothing may follow."""
        self.flush()
        return self._spool.end, None if self._spool.dropped else self._sha256.hexdigest()

    def _store(self, pieces: list[Piece]) -> None:
        if not pieces:
            return
        for piece in pieces:
            self._sha256.update(piece.data)
        self._at_line_start = pieces[-1].data[-1:] == b"\n"
        self._spool.append(pieces)
