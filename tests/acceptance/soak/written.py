"""A log as its writer knows it: every byte with its channel. What viewers get and what lies on disk is held to it."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from bisect import bisect_right

from tests.acceptance.client import entry

MAX_ENTRY_BYTES = 60_000
US_PER_SECOND = 1_000_000


class WrittenLog:
    """What was produced, and of it what was sent, and acknowledged; `finished` when the server said so."""

    def __init__(self, log_id: int) -> None:
        self.id = log_id
        self.produced = bytearray()
        self.channels = bytearray()  # of each byte
        self.sent = self.acknowledged = 0
        self.finished = asyncio.Event()
        self._starts: list[int] = []  # of the entries
        self.text_sha256 = self.channels_sha256 = ""

    def produce(self, dice: random.Random) -> None:
        """Have the build print something."""
        kind = dice.randrange(6)
        if kind == 0:
            pieces = [dice.randbytes(dice.randrange(1, MAX_ENTRY_BYTES))]
        elif kind == 1:  # a prompt, characters one by one, and an empty line
            pieces = [b"%c" % dice.randrange(32, 127) for _ in range(dice.randrange(1, 40))] + [b"\n"]
        else:
            line = b"%d: the compiler says something of no importance\n" % dice.randrange(10 ** dice.randrange(1, 30))
            pieces = [line * dice.randrange(1, 2 if kind < 4 else 800)]
        for piece in pieces:
            self._add(dice.choice((0, 0, 0, 1, 1, 2)), piece)

    def _add(self, channel: int, data: bytes) -> None:
        self._starts.append(len(self.produced))
        self.produced += data
        self.channels += bytes([channel]) * len(data)

    def stream(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop` as a chunk stream."""
        entries = [entry("t", b"%d" % int(time.time() * US_PER_SECOND))]
        number = bisect_right(self._starts, start) - 1
        while start < stop:
            number += 1
            end = min(stop, self._starts[number] if number < len(self._starts) else stop)
            entries.append(entry(self.channels[start], bytes(self.produced[start:end])))
            start = end
        return b"".join(entries)

    def acknowledge(self, received: int) -> None:
        """Take the server's word for it: it never goes back, and never beyond what was sent."""
        assert self.acknowledged <= received <= self.sent, (
            f"log {self.id}: {received} received; {self.acknowledged} was acknowledged, {self.sent} sent"
        )
        self.acknowledged = received

    def check(self, offset: int, data: bytes, channels: bytes) -> None:
        """What a viewer got must be what was sent."""
        stop = offset + len(data)
        assert stop <= self.sent, f"log {self.id}: bytes up to {stop} came, {self.sent} were sent"
        assert data == self.produced[offset:stop], f"log {self.id}: other bytes in {offset} to {stop}"
        assert channels == self.channels[offset:stop], f"log {self.id}: other channels in {offset} to {stop}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.produced).hexdigest()

    def forget(self) -> None:
        """Keep only hashes, when no viewer needs the bytes any more: a soak may be long."""
        self.text_sha256, self.channels_sha256 = self.sha256, hashlib.sha256(self.channels).hexdigest()
        self.produced, self.channels, self._starts = bytearray(), bytearray(), []
