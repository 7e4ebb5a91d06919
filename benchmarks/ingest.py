"""A build step prints 100 MB in lines of 100 bytes as fast as it can: agent to stored, finished and verified log.

The clock starts before the agent's process does and stops when that has ended; the agent's own start, the creation of
build, step and log and the check of the SHA-256 are all within. The goal is for the time from the command's start on:
the peers' workers are running already when their step begins. Yardsticks of the same run: Buildbot's, the same command
into a file, the agent's frames over the agent's own WebSocket to a bare application on the same guarded Daphne, bodies
of 1 MiB to another, and the chunk store by itself.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import selectors
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "agent"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from buildlogs_agent.connection import MAX_IN_FLIGHT_BYTES
from buildlogs_agent.websocket import connect
from buildlogs_agent.wire import encode_frame

from benchmarks.buildbot import CURRENT, OLD, Buildbot
from benchmarks.measure import MB, MIB, Meter, Report, arguments, conclude, peer_argument
from benchmarks.stack import Product, running_bare, running_product
from benchmarks.text import BLOCK_BYTES, LINE_BYTES, build_printer, print_to_file, sha256_of
from logviewer.chunkstore import Channel, ChunkStore, encode_entry, encode_time, parse_chunk_stream
from tests.acceptance.server import Server

LINES = 1_000_000
QUICK_LINES = 100_000
MIN_MB_PER_SECOND = 200
MIN_BY_OLD_BUILDBOT = 1.48
"""The goal by what Buildbot 0.8.14 reached where that was set, 135 MB/s: two cores differ by a factor of two."""

UNIT_BYTES = 64 * 1024
BODY_PAYLOAD_BYTES = 15 * UNIT_BYTES
FRAME_PAYLOAD_BYTES = 7 * UNIT_BYTES
US_PER_SECOND = 1_000_000

AGENT = "agent to verified log"
FROM_COMMAND = "from the command's start"
OLD_BUILDBOT = f"{OLD.name}, slave to file"
TO_FILE = "the command into a file"
BARE = "bare POSTs of 1 MiB"
BARE_FRAMES = "bare WebSocket-in"
STORE = "chunk store in process"


def measure_file(printer: Path, lines: int, path: Path, report: Report) -> None:
    """What the command does by itself."""
    started = time.perf_counter()
    print_to_file(printer, lines, path)
    report.add(TO_FILE, lines * LINE_BYTES / MB / (time.perf_counter() - started), "MB/s")


def measure_bare(server: Server, text: Path, report: Report) -> None:
    """The same bytes as bodies that nobody keeps."""
    data = text.read_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    started = time.perf_counter()
    for start in range(0, len(data), BLOCK_BYTES):
        connection.request("POST", "/discard", data[start : start + BLOCK_BYTES])
        connection.getresponse().read()
    report.add(BARE, len(data) / MB / (time.perf_counter() - started), "MB/s")
    connection.close()


def measure_bare_frames(server: Server, text: Path, report: Report) -> None:
    """The same bytes as the agent's frames, no more of them unanswered than the agent leaves, that nobody keeps."""
    data = text.read_bytes()
    starts = range(0, len(data), FRAME_PAYLOAD_BYTES)
    bodies = [_body(data[start : start + FRAME_PAYLOAD_BYTES]) for start in starts]
    frames = [encode_frame(1, start, 0, body) for start, body in zip(starts, bodies, strict=True)][::-1]
    websocket = connect(server.url, "/take", None, timeout=5)
    total, sent, received = sum(map(len, frames)), 0, 0
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        selector.register(websocket, selectors.EVENT_READ)
        while received < total:
            while frames and not websocket.outgoing and sent - received + len(frames[-1]) <= MAX_IN_FLIGHT_BYTES:
                sent += len(frames[-1])
                websocket.send(frames.pop())
                websocket.flush()
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if websocket.outgoing else 0)
            selector.modify(websocket, wanted)
            selector.select()
            websocket.flush()
            for answer in websocket.receive():
                received = int(json.loads(answer)["offset"])
            if websocket.closed is not None:
                raise RuntimeError(f"the connection ended: {websocket.closed}")
    report.add(BARE_FRAMES, len(data) / MB / (time.perf_counter() - started), "MB/s")
    websocket.drop()


def measure_store(directory: Path, text: Path, report: Report) -> None:
    """Parse, append and finish chunk streams as the agent sends them, without any server."""
    data = text.read_bytes()
    bodies = [_body(data[start : start + BODY_PAYLOAD_BYTES]) for start in range(0, len(data), BODY_PAYLOAD_BYTES)]
    digest = hashlib.sha256(data).hexdigest()
    store = ChunkStore(directory)
    started = time.perf_counter()
    store.create("benchmark")
    for body in bodies:
        store.append("benchmark", parse_chunk_stream(body))
    finished = store.finish("benchmark", received=len(data), sha256=digest)
    elapsed = time.perf_counter() - started
    store.close()
    if not finished.verified:
        raise RuntimeError("the store did not verify what it was given")
    shutil.rmtree(directory)
    report.add(STORE, len(data) / MB / elapsed, "MB/s")


def _body(data: bytes) -> bytes:
    """Units as the agent's: a time and 64 KiB."""
    stamp = encode_time(int(time.time() * US_PER_SECOND))
    return b"".join(
        stamp + encode_entry(Channel.STDOUT, data[start : start + UNIT_BYTES])
        for start in range(0, len(data), UNIT_BYTES)
    )


def measure_agent(product: Product, command: list[str], text: Path, report: Report) -> None:
    """The whole way, and whether what is stored is what the command printed."""
    began = product.server.data_dir / "began"
    marked = ["sh", "-c", ': > "$0"; exec "$@"', str(began), *command]
    quiet = product.run_agent("ingest", ["true"])
    meter = Meter(product.server.pid)
    run = product.run_agent("ingest", marked)
    usage = meter.read()
    if (stored := sha256_of_stdout(product, int(run.log["id"]))) != sha256_of(text):
        raise RuntimeError(f"stored is {stored}, printed was {sha256_of(text)}")
    size = text.stat().st_size / MB
    from_command = size / (run.ended_at - began.stat().st_mtime)
    report.add(AGENT, size / (run.ended_at - run.launched_at), "MB/s", None, BARE_FRAMES)
    report.add(FROM_COMMAND, from_command, "MB/s", (">=", MIN_MB_PER_SECOND), TO_FILE)
    if OLD_BUILDBOT in report.figures:
        ratio = from_command / report.figures[OLD_BUILDBOT].values[-1]
        report.add(f"{FROM_COMMAND}, by {OLD.name}, run by run", ratio, "x", (">=", MIN_BY_OLD_BUILDBOT))
    report.add("a step that prints nothing, launch to end", quiet.ended_at - quiet.launched_at, "s")
    report.add("CPU of the agent", run.agent_cpu_seconds, "s")
    report.add("CPU of the server", usage.cpu_seconds, "s")
    growth = run.agent_peak_rss_bytes - quiet.agent_peak_rss_bytes
    report.add("RSS growth of the agent over a step that prints nothing", growth / MIB, "MiB")
    report.add("RSS growth of the server", usage.rss_growth_bytes / MIB, "MiB")


def sha256_of_stdout(product: Product, log: int) -> str:
    """Of the command's own output in the stored log, without the agent's headers."""
    digest = hashlib.sha256()
    with product.http.stream("GET", f"/logs/{log}/raw", params={"channels": "stdout"}) as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            digest.update(piece)
    return digest.hexdigest()


def measure_old_buildbot(buildbot: Buildbot, lines: int, report: Report) -> None:
    """The same text through the slave and master of 0.8.14, from forcing the build to the step's end."""
    seen = buildbot.run("a_full.py", "ingest", "peer", f"{buildbot.printer} {lines}")
    report.add(OLD_BUILDBOT, seen["peer_ingest"], "MB/s")


def measure_buildbot(buildbot: Buildbot, lines: int, report: Report) -> None:
    """The same text through Buildbot's worker and master."""
    seen = buildbot.run("b_ingest.py", "peer", f"{buildbot.printer} {lines}")
    report.add(f"{CURRENT.name}, worker to database", seen["peer_ingest"], "MB/s")


def main() -> None:
    parser = arguments(__doc__ or "")
    peer_argument(parser)
    options = parser.parse_args()
    runs, lines = (1, QUICK_LINES) if options.quick else (options.runs, LINES)
    report = Report("ingest")
    with tempfile.TemporaryDirectory(prefix="buildlogs-ingest-") as name:
        directory = Path(name)
        printer, text = build_printer(directory), directory / "text"
        with running_product(directory) as product, running_bare(directory) as bare, ExitStack() as peers:
            old = None
            if options.peer and Buildbot.is_installed(options.peer, OLD):
                old = peers.enter_context(Buildbot(options.peer, OLD))
            for run in range(runs):
                print(f"run {run + 1} of {runs}", flush=True)
                if old is not None:
                    measure_old_buildbot(old, lines, report)
                measure_file(printer, lines, text, report)
                measure_bare(bare, text, report)
                measure_bare_frames(bare, text, report)
                measure_store(directory / "store", text, report)
                measure_agent(product, [str(printer), str(lines)], text, report)
    if options.peer:
        with Buildbot(options.peer) as buildbot:
            measure_buildbot(buildbot, lines, report)
    conclude(report, options)


if __name__ == "__main__":
    main()
