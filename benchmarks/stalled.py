"""1 GB is written to a log with viewers, one of whom stalls: it neither costs the server memory nor the others time.

Three times the same on a server that has just been started: without a stalled viewer; with one that stops reading (and
asked for no window, so that nothing but the transport holds the server back); with one that reads and acknowledges
nothing. The writer sends bodies of 1 MiB over HTTP as fast as they are taken; the viewers are a process each.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import MB, MIB, Meter, Report, arguments, conclude
from benchmarks.stack import Product, running_product
from benchmarks.websocket import BINARY, TEXT, WebSocket
from tests.acceptance.client import CHUNKS_TYPE, Writer, entry
from tests.acceptance.test_stalled import handshake

BYTES = 1_000_000_000
QUICK_BYTES = 30_000_000
WARM_UP_BYTES = 100_000_000
BODY_BYTES = 1_000_000
VIEWERS = 2
HALF_WINDOW_BYTES = 524_288
SMALL_RECEIVE_BUFFER_BYTES = 65_536
MAX_MORE_RSS_MIB = 2
MAX_SLOWER = 1.1

WITHOUT = "without a stalled viewer"
DEAF = "with one that does not read"
MUTE = "with one that does not acknowledge"


def view(port: int, path: str, *, acknowledges: bool) -> None:
    """A viewer's process: prints `live`, and at the end of the log when that came and what the bytes were."""
    websocket = WebSocket("127.0.0.1", port, path, os.environ["BUILDLOGS_TOKEN"])
    offset = acknowledged = checksum = 0
    for opcode, payload in websocket.messages():
        if opcode == BINARY:
            length = int.from_bytes(payload[:4], "big")
            text = payload[4 + length :]
            checksum = zlib.crc32(text, checksum)
            offset += len(text)
        elif opcode == TEXT:
            kind = json.loads(bytes(payload))["type"]
            if kind == "live":
                print("live", flush=True)
            elif kind == "logFinished":
                print(json.dumps({"ended_at": time.time(), "bytes": offset, "checksum": checksum}), flush=True)
                acknowledged = -HALF_WINDOW_BYTES
        if acknowledges and offset - acknowledged >= HALF_WINDOW_BYTES:
            acknowledged = offset
            websocket.send(TEXT, b'{"type":"ack","offset":%d}' % offset)


@contextmanager
def viewer(product: Product, log: int, *, acknowledges: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A viewer that sees the log live."""
    words = [sys.executable, __file__, "--view", str(product.server.port), f"/ws/logs/{log}/"]
    process = subprocess.Popen(
        words if acknowledges else [*words, "--mute"],
        env=os.environ | {"BUILDLOGS_TOKEN": product.token},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "live\n":
            raise RuntimeError("a viewer did not get to see the log live")
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def deaf_viewer(product: Product, log: int) -> Iterator[None]:
    """One that never reads."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_RECEIVE_BUFFER_BYTES)
        connection.connect(("127.0.0.1", product.server.port))
        request = handshake(product.server, f"/ws/logs/{log}/?window=0", product.token)
        connection.sendall(request.replace("\n", "\r\n").encode())
        yield


def write(product: Product, log: int, size: int) -> int:
    """Write so much as fast as it is taken; returns the CRC-32 of the text."""
    text = (b"x" * 99 + b"\n") * (BODY_BYTES // 100)
    body, checksum = entry(0, text), 0
    connection = http.client.HTTPConnection("127.0.0.1", product.server.port, timeout=60)
    for offset in range(0, size, BODY_BYTES):
        headers = {
            "Authorization": f"Bearer {product.token}",
            "Content-Type": CHUNKS_TYPE,
            "Upload-Offset": str(offset),
        }
        connection.request("POST", f"/api/v1/logs/{log}/chunks", body, headers)
        answer = connection.getresponse()
        if answer.read() and answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status}")
        checksum = zlib.crc32(text, checksum)
    connection.close()
    return checksum


def measure(product: Product, report: Report, name: str, size: int) -> tuple[float, float]:
    """Seconds until the last viewer that reads has the last byte, and the server's growth in MiB."""
    writer = Writer(product.server.url, product.token)
    warm_up, log = writer.new_log("warm-up")["id"], writer.new_log("stalled")["id"]
    with ExitStack() as stack:
        first = [stack.enter_context(viewer(product, warm_up)) for _ in range(VIEWERS)]
        write(product, warm_up, min(size, WARM_UP_BYTES))
        writer.finish(warm_up)
        for process in first:
            process.communicate()
    with ExitStack() as stack:
        watching = [stack.enter_context(viewer(product, log)) for _ in range(VIEWERS)]
        if name == DEAF:
            stack.enter_context(deaf_viewer(product, log))
        elif name == MUTE:
            stack.enter_context(viewer(product, log, acknowledges=False))
        meter, began = Meter(product.server.pid), time.time()
        checksum = write(product, log, size)
        writer.finish(log)
        seen = [json.loads(process.communicate()[0]) for process in watching]
        growth = meter.read().rss_growth_bytes / MIB
    if any((each["bytes"], each["checksum"]) != (size, checksum) for each in seen):
        raise RuntimeError(f"{name}: the log has {size} bytes, the viewers saw {seen}")
    seconds = max(each["ended_at"] for each in seen) - began
    report.add(f"{name}, MB/s to each of the others", size / MB / seconds, "MB/s")
    report.add(f"{name}, RSS growth of the server", growth, "MiB")
    return seconds, growth


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--bytes", type=int, default=BYTES, help="how much is written (default: %(default)s)")
    parser.add_argument("--view", nargs=2, metavar=("PORT", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--mute", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.view:
        view(int(options.view[0]), options.view[1], acknowledges=not options.mute)
        return
    runs, size = (1, QUICK_BYTES) if options.quick else (options.runs, options.bytes)
    report = Report("stalled")
    with tempfile.TemporaryDirectory(prefix="buildlogs-stalled-") as name, running_product(Path(name)) as product:
        for run in range(runs):
            print(f"run {run + 1} of {runs}", flush=True)
            measured = {}
            for kind in (WITHOUT, DEAF, MUTE):
                product.server.stop()
                product.server.start()
                measured[kind] = measure(product, report, kind, size // BODY_BYTES * BODY_BYTES)
            for kind in (DEAF, MUTE):
                more = measured[kind][1] - measured[WITHOUT][1]
                report.add(f"{kind}, RSS more than without", more, "MiB", ("<=", MAX_MORE_RSS_MIB))
                slower = measured[kind][0] / measured[WITHOUT][0]
                report.add(f"{kind}, time of the others by that without", slower, "x", ("<=", MAX_SLOWER))
    conclude(report, options)


if __name__ == "__main__":
    main()
