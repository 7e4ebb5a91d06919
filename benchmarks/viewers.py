"""N viewers of one log in one process; prints what they saw as JSON when the server has closed them all.

viewers.py PORT PATH N, with the token in BUILDLOGS_TOKEN: prints `ready` when all of them see the log live. With
`--bare` the messages are bare text, as bare.py hands them out. While the log runs only the time and the length of each
message are noted, and its bytes hashed; what that means for each line is computed afterwards. Of more than 100 viewers
each contributes a part of its lines, another one each: 1000 viewers of 15,000 lines would be 15 million figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import selectors
import struct
import sys
import time
from bisect import bisect_right
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import allow_descriptors, percentile
from benchmarks.websocket import BINARY, TEXT, WebSocket

HALF_WINDOW_BYTES = 524_288
VIEWERS_WITH_ALL_LINES = 100
SPARE_DESCRIPTORS = 100
STAMPED = b"T"
STAMP = slice(1, 18)
NUMBER = slice(19, 28)


class Viewer:
    """One viewer: checks that offsets are contiguous, acknowledges, and notes when what arrived."""

    def __init__(self, port: int, path: str, token: str | None, *, bare: bool, keep: bool) -> None:
        self.websocket = WebSocket("127.0.0.1", port, path, token)
        self.live = self.closed = False
        self.arrivals: list[tuple[float, int]] = []
        self.offset = self._acknowledged = 0
        self.sha256 = hashlib.sha256()
        self.data = bytearray()
        self._bare = bare
        self._keep = keep

    def read(self) -> None:
        """Take what is there, and note the time first."""
        more = self.websocket.receive()
        now = time.time()
        for opcode, payload in self.websocket.buffered():
            if opcode == BINARY:
                self._take(payload)
                self.arrivals.append((now, self.offset))
            elif opcode == TEXT:
                self._hear(json.loads(bytes(payload)))
        self.closed = not more

    def _take(self, payload: memoryview) -> None:
        text = payload
        if not self._bare:
            (length,) = struct.unpack_from(">I", payload)
            header = json.loads(bytes(payload[4 : 4 + length]))
            if header["offset"] != self.offset:
                raise ValueError(f"a gap: expected offset {self.offset}, got {header['offset']}")
            text = payload[4 + length :]
        self.offset += len(text)
        self.sha256.update(text)
        if self._keep:
            self.data += text
        if not self._bare and self.offset - self._acknowledged >= HALF_WINDOW_BYTES:
            self._acknowledge()

    def _hear(self, message: dict[str, object]) -> None:
        self.live = self.live or message["type"] == "live"
        if message["type"] == "logFinished":
            self._acknowledge()

    def _acknowledge(self) -> None:
        self._acknowledged = self.offset
        self.websocket.send(TEXT, b'{"type":"ack","offset":%d}' % self.offset)


def watch(viewers: list[Viewer]) -> None:
    """Serve them all until the server has closed them."""
    with selectors.DefaultSelector() as selector:
        for viewer in viewers:
            selector.register(viewer.websocket.socket, selectors.EVENT_READ, viewer)
        told = False
        while selector.get_map():
            for key, _ in selector.select():
                key.data.read()
                if key.data.closed:
                    selector.unregister(key.fileobj)
                    key.data.websocket.close()
            if not told and all(viewer.live for viewer in viewers):
                told = True
                print("ready", flush=True)


def latencies(viewer: Viewer, ends: list[int], stamps: list[float], first: int, every: int) -> list[float]:
    """Seconds from the printing of a stamped line to the arrival of its last byte, of each `every`th from `first`."""
    found: list[float] = []
    line = first
    for now, offset in viewer.arrivals:
        complete = bisect_right(ends, offset)
        found += [now - stamp for stamp in stamps[line:complete:every]]
        line += max(0, -((line - complete) // every)) * every
    return found


def stamped_lines(data: bytes) -> tuple[list[int], list[float], list[int]]:
    """Of each line that carries its time: where it ends, the time, and its number."""
    ends, stamps, numbers, offset = [], [], [], 0
    for line in data.splitlines(keepends=True):
        offset += len(line)
        if line.startswith(STAMPED) and line.endswith(b"\n"):
            ends.append(offset)
            stamps.append(float(line[STAMP]))
            numbers.append(int(line[NUMBER]))
    return ends, stamps, numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("viewers", type=int)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    allow_descriptors(2 * options.viewers + SPARE_DESCRIPTORS)
    token = None if options.bare else os.environ["BUILDLOGS_TOKEN"]
    viewers = [
        Viewer(options.port, options.path, token, bare=options.bare, keep=number == 0)
        for number in range(options.viewers)
    ]
    watch(viewers)
    used = resource.getrusage(resource.RUSAGE_SELF)
    ends, stamps, numbers = stamped_lines(bytes(viewers[0].data))
    every = -(-len(viewers) // VIEWERS_WITH_ALL_LINES)
    all_latencies = sorted(
        latency
        for number, viewer in enumerate(viewers)
        for latency in latencies(viewer, ends, stamps, number % every, every)
    )
    print(
        json.dumps(
            {
                "received": sum(bisect_right(ends, viewer.offset) for viewer in viewers),
                "in_order": numbers == list(range(len(numbers))),
                "different_contents": len({viewer.sha256.digest() for viewer in viewers}),
                "p50_ms": percentile(all_latencies, 50) * 1000,
                "p99_ms": percentile(all_latencies, 99) * 1000,
                "max_ms": all_latencies[-1] * 1000,
                "cpu_seconds": used.ru_utime + used.ru_stime,
            }
        )
    )


if __name__ == "__main__":
    main()
