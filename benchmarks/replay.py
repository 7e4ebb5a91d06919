"""A stored log of 1 GB to one WebSocket viewer with the default window, and as a raw download.

Yardsticks of the same run: a bare application on the same guarded Daphne that sends frames, or pieces of a response,
of the same sizes from memory, to a client that does the same with them. The client is websocket.py, which keeps
nothing; that what arrives is what is stored is checked once, with a viewer that hashes, outside of the timed runs.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import MB, MIB, Meter, Report, arguments, conclude
from benchmarks.stack import Product, running_bare, running_product
from benchmarks.text import LINE_BYTES, build_printer
from benchmarks.websocket import BINARY, RECEIVE_BYTES, TEXT, WebSocket
from tests.acceptance.server import Server

BYTES = 1_000_000_000
QUICK_BYTES = 20_000_000
HALF_WINDOW_BYTES = 524_288
DOWNLOAD_PIECE_BYTES = 256 * 1024
MIN_PART_OF_BARE = 0.5
MAX_RSS_GROWTH_MIB = 32
INSIGHT_SECONDS = 300

REPLAY = "replay over a WebSocket"
PART_OF_BARE = "replay by bare frames, run by run"
BARE_FRAMES = "bare frames of the same size"
DOWNLOAD = "raw download"
BARE_DOWNLOAD = "bare download"


@dataclass
class Replay:
    """One viewer's way through a stored log."""

    offset: int = 0
    frames: int = 0
    largest_frame_bytes: int = 0
    seconds: float = 0.0
    sha256: str | None = None


def watch(server: Server, token: str, log: int, *, check: bool = False) -> Replay:
    """From the handshake to the last byte, acknowledging at half a window, then until the server closes."""
    replay, digest, acknowledged = Replay(), hashlib.sha256(), 0
    started = time.perf_counter()
    websocket = WebSocket("127.0.0.1", server.port, f"/ws/logs/{log}/", token)
    for opcode, payload in websocket.messages():
        if opcode == BINARY:
            (length,) = struct.unpack_from(">I", payload)
            header = json.loads(bytes(payload[4 : 4 + length]))
            if header["offset"] != replay.offset:
                raise ValueError(f"a gap: expected offset {replay.offset}, got {header['offset']}")
            replay.offset += len(payload) - 4 - length
            replay.frames += 1
            replay.largest_frame_bytes = max(replay.largest_frame_bytes, len(payload))
            if check:
                digest.update(payload[4 + length :])
        finished = opcode == TEXT and json.loads(bytes(payload))["type"] == "logFinished"
        if finished:
            replay.seconds = time.perf_counter() - started
        if finished or replay.offset - acknowledged >= HALF_WINDOW_BYTES:
            acknowledged = replay.offset
            websocket.send(TEXT, b'{"type":"ack","offset":%d}' % acknowledged)
    websocket.close()
    replay.sha256 = digest.hexdigest() if check else None
    return replay


def check_contents(product: Product, log: dict[str, Any]) -> Replay:
    """What a viewer gets has the log's size and SHA-256."""
    replay = watch(product.server, product.token, log["id"], check=True)
    if (replay.offset, replay.sha256) != (log["size"], log["text_sha256"]):
        raise RuntimeError(f"the log has {log['size']} bytes, {log['text_sha256']}; the viewer got {replay}")
    return replay


def wait_for_insight(product: Product, log: dict[str, Any]) -> None:
    """Until the log was looked through for errors, which errors.py measures by itself."""
    deadline = time.monotonic() + INSIGHT_SECONDS
    while not product.get(f"/logs/{log['id']}/marks")["complete"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the log was not looked through in {INSIGHT_SECONDS} s")
        time.sleep(0.5)


def measure_replay(product: Product, log: dict[str, Any], report: Report) -> None:
    """A viewer that is as fast as it can be."""
    meter = Meter(product.server.pid)
    replay = watch(product.server, product.token, log["id"])
    usage = meter.read()
    if replay.offset != log["size"]:
        raise RuntimeError(f"the log has {log['size']} bytes, the viewer got {replay.offset}")
    report.add(REPLAY, replay.offset / MB / replay.seconds, "MB/s", None, BARE_FRAMES)
    bare = report.figures[BARE_FRAMES].values[-1]
    report.add(PART_OF_BARE, replay.offset / MB / replay.seconds / bare, "x", (">=", MIN_PART_OF_BARE))
    report.add(f"{REPLAY}, CPU of the server", usage.cpu_seconds, "s")
    report.add(f"{REPLAY}, RSS growth of the server", usage.rss_growth_bytes / MIB, "MiB", ("<=", MAX_RSS_GROWTH_MIB))
    report.add(f"{REPLAY}, peak RSS of the server", usage.peak_rss_bytes / MIB, "MiB")


def measure_bare_frames(bare: Server, size: int, frame_bytes: int, report: Report) -> None:
    """Frames from memory to a client that does the same for each: it decodes the header, and acknowledges."""
    started, received, acknowledged = time.perf_counter(), 0, 0
    size -= size % frame_bytes
    websocket = WebSocket("127.0.0.1", bare.port, f"/frames?size={size}&frame={frame_bytes}")
    for opcode, payload in websocket.messages():
        if opcode == BINARY:
            (length,) = struct.unpack_from(">I", payload)
            if json.loads(bytes(payload[4 : 4 + length]))["offset"] != 0:
                raise ValueError("another frame than was to come")
            received += len(payload)
            if received - acknowledged >= HALF_WINDOW_BYTES:
                acknowledged = received
                websocket.send(TEXT, b'{"type":"ack","offset":%d}' % acknowledged)
    elapsed = time.perf_counter() - started
    websocket.close()
    if received != size:
        raise RuntimeError(f"{received} bytes arrived of {size}")
    report.add(BARE_FRAMES, size / MB / elapsed, "MB/s")


def download(server: Server, path: str, token: str | None, coding: str | None = None) -> tuple[int, float]:
    """Bytes of the body, and seconds until the last of them, read as curl does into one buffer."""
    buffer = bytearray(RECEIVE_BYTES)
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    accepted = f"Accept-Encoding: {coding}\r\n" if coding else ""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{authorization}{accepted}Connection: close\r\n\r\n"
    )
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(RECEIVE_BYTES)
            if not piece:
                raise ConnectionError(f"no answer to {path}")
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(head.decode("latin-1"))
        received = len(body)
        while count := connection.recv_into(buffer):
            received += count
    return received, time.perf_counter() - started


def measure_downloads(product: Product, bare: Server, log: dict[str, Any], report: Report) -> None:
    """The log's text as one response, and the same from memory."""
    size = int(log["size"])
    bare_size, bare_seconds = download(bare, f"/download?size={size}&piece={DOWNLOAD_PIECE_BYTES}", None)
    meter = Meter(product.server.pid)
    received, seconds = download(product.server, f"/api/v1/logs/{log['id']}/raw", product.token)
    usage = meter.read()
    if not received == bare_size == size:
        raise RuntimeError(f"the log has {size} bytes, {received} and {bare_size} arrived")
    report.add(BARE_DOWNLOAD, size / MB / bare_seconds, "MB/s")
    report.add(DOWNLOAD, size / MB / seconds, "MB/s", None, BARE_DOWNLOAD)
    report.add(f"{DOWNLOAD}, CPU of the server", usage.cpu_seconds, "s")
    report.add(f"{DOWNLOAD}, RSS growth of the server", usage.rss_growth_bytes / MIB, "MiB", ("<=", MAX_RSS_GROWTH_MIB))


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--bytes", type=int, default=BYTES, help="size of the log (default: %(default)s)")
    options = parser.parse_args()
    runs, size = (1, QUICK_BYTES) if options.quick else (options.runs, options.bytes)
    report = Report("replay")
    with tempfile.TemporaryDirectory(prefix="buildlogs-replay-") as name:
        directory = Path(name)
        printer = build_printer(directory)
        with running_product(directory) as product, running_bare(directory) as bare:
            log = product.run_agent("replay", [str(printer), str(size // LINE_BYTES)]).log
            wait_for_insight(product, log)
            frame_bytes = check_contents(product, log).largest_frame_bytes
            for run in range(runs):
                print(f"run {run + 1} of {runs}", flush=True)
                measure_bare_frames(bare, int(log["size"]), frame_bytes, report)
                product.server.stop()  # its memory shall grow from what a server has that has done nothing yet
                product.server.start()
                measure_replay(product, log, report)
                measure_downloads(product, bare, log, report)
    conclude(report, options)


if __name__ == "__main__":
    main()
