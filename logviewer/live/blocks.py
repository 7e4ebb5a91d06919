"""Blocks of files of another store, kept in memory: the latest used of all readers of this process, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict

BLOCK_BYTES = 256 * 1024
"""What is asked for at once at the least: a sealed frame of 1 MiB of text, which packs to about this."""

MAX_CACHED_BYTES = 64 * 1024 * 1024


class BlockCache:
    """The blocks by (file, version of the file, number). Thread-safe."""

    def __init__(self, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._mutex = threading.Lock()
        self._blocks: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self.size_bytes = 0

    def get(self, name: str, version: str, number: int) -> bytes | None:
        """Return a block, or None where it is not here."""
        with self._mutex:
            block = self._blocks.get((name, version, number))
            if block is not None:
                self._blocks.move_to_end((name, version, number))
            return block

    def put(self, name: str, version: str, number: int, block: bytes) -> None:
        """Keep a block, letting go of the least recently used ones."""
        with self._mutex:
            before = self._blocks.pop((name, version, number), b"")
            self._blocks[name, version, number] = block
            self.size_bytes += len(block) - len(before)
            while self.size_bytes > self._max_bytes:
                self.size_bytes -= len(self._blocks.popitem(last=False)[1])

    def forget(self, name: str) -> None:
        """Drop all blocks of a file that was replaced or removed."""
        with self._mutex:
            for key in [key for key in self._blocks if key[0] == name]:
                self.size_bytes -= len(self._blocks.pop(key))
