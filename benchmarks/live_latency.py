"""From the print in a build step to its receipt by 1, 20, 100 and 1000 viewers, through the agent and a real Daphne.

The step prints 1000 lines a second, each with the time of its printing. Yardsticks of the same run: reading the step's
output from a pipe, and a bare broadcast on the same guarded Daphne, fed every 50 ms.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.buildbot import Buildbot
from benchmarks.measure import Meter, Report, arguments, conclude, cpu_seconds, peer_argument, percentile
from benchmarks.stack import Product, running_bare, running_product
from benchmarks.viewers import stamped_lines
from benchmarks.websocket import BINARY, WebSocket
from tests.acceptance.server import Server

HERE = Path(__file__).resolve().parent
LINES_A_SECOND = 1000
VIEWERS = (1, 20, 100, 1000)
MAX_P50_MS = 80
MAX_P99_MS = 200
MAX_P99_OF_1000_MS = 400
GATHER_SECONDS = 0.05
PEER_LINES_A_SECOND = 100

Goals = tuple[tuple[str, float] | None, tuple[str, float] | None]
"""Of the p50 and of the p99."""


@dataclass(frozen=True)
class Load:
    """What the step prints."""

    seconds: float
    directory: Path

    @property
    def lines(self) -> int:
        return round(LINES_A_SECOND * self.seconds)

    def command(self, fifo: Path | None = None) -> list[str]:
        """The printing command; with `fifo` it begins when that is opened for writing."""
        words = [sys.executable, str(HERE / "tick.py"), str(LINES_A_SECOND), str(self.seconds)]
        return words if fifo is None else [*words, str(fifo)]

    @contextmanager
    def fifo(self) -> Iterator[Path]:
        """A name to wait at."""
        path = self.directory / "begin"
        os.mkfifo(path)
        try:
            yield path
        finally:
            path.unlink()


def start_viewers(server: Server, path: str, count: int, token: str | None) -> subprocess.Popen[str]:
    """A process of viewers, all of which see the log live."""
    words = [sys.executable, str(HERE / "viewers.py"), str(server.port), path, str(count)]
    process = subprocess.Popen(
        words if token else [*words, "--bare"],
        env=os.environ | ({"BUILDLOGS_TOKEN": token} if token else {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError("the viewers did not get ready")
    return process


def note(
    report: Report, name: str, process: subprocess.Popen[str], expected: int, goals: Goals, yardstick: str | None
) -> None:
    """What the viewers tell at their end; `yardstick` is the prefix of the figures to compare with."""
    seen = json.loads(process.communicate()[0])
    if seen["different_contents"] != 1 or not seen["in_order"]:
        raise RuntimeError(f"{name}: the viewers saw different or disordered contents: {seen}")
    for percent, goal in zip(("p50", "p99"), goals, strict=True):
        report.add(f"{name}, {percent}", seen[f"{percent}_ms"], "ms", goal, yardstick and f"{yardstick}, {percent}")
    report.add(f"{name}, longest", seen["max_ms"], "ms")
    report.add(f"{name}, lines lost", expected - seen["received"], "lines", ("<=", 0))
    report.add(f"{name}, CPU of the viewers", seen["cpu_seconds"], "s")


def titled(viewers: int) -> str:
    """How many viewers, in words."""
    return "1 viewer" if viewers == 1 else f"{viewers} viewers"


def measure_product(product: Product, load: Load, report: Report, viewers: int) -> None:
    """One run through agent and server."""
    build, name = product.new_build(f"live-{viewers}")
    title = titled(viewers)
    with load.fifo() as fifo:
        agent = product.start_agent(f"live-{viewers}", name, load.command(fifo))
        log = product.wait_for_log(build)
        watching = start_viewers(product.server, f"/ws/logs/{log['id']}/", viewers, product.token)
        meter = Meter(product.server.pid)
        fifo.write_bytes(b"")
    os.waitid(os.P_PID, agent.pid, os.WEXITED | os.WNOWAIT)
    agent_cpu = cpu_seconds(agent.pid)
    if agent.wait():
        raise RuntimeError("the agent failed")
    goals: Goals = (("<=", MAX_P50_MS), ("<=", MAX_P99_MS)) if viewers < 1000 else (None, ("<=", MAX_P99_OF_1000_MS))
    note(report, title, watching, load.lines * viewers, goals, f"bare broadcast to {viewers}")
    usage = meter.read()
    report.add(f"{title}, CPU of the server", usage.cpu_seconds, "s")
    report.add(f"{title}, CPU of the agent", agent_cpu, "s")


def measure_bare(server: Server, load: Load, report: Report, viewers: int) -> None:
    """The step's pipe, gathered for 50 ms, through a broadcast that does nothing else."""
    watching = start_viewers(server, "/view", viewers, None)
    meter = Meter(server.pid)
    feeder = WebSocket("127.0.0.1", server.port, "/feed")
    step = subprocess.Popen(load.command(), stdout=subprocess.PIPE)
    assert step.stdout is not None
    gathered, lock = bytearray(), threading.Lock()

    def read(descriptor: int) -> None:
        while data := os.read(descriptor, 65_536):
            with lock:
                gathered.extend(data)

    reading = threading.Thread(target=read, args=(step.stdout.fileno(),))
    reading.start()
    while reading.is_alive() or gathered:
        time.sleep(GATHER_SECONDS)
        with lock:
            body = bytes(gathered)
            gathered.clear()
        if body:
            feeder.send(BINARY, body)
    step.wait()
    feeder.close()
    note(report, f"bare broadcast to {viewers}", watching, load.lines * viewers, (None, None), None)
    report.add(f"bare broadcast to {viewers}, CPU of the server", meter.read().cpu_seconds, "s")


def measure_pipe(load: Load, report: Report) -> None:
    """The step's output as it comes out of the pipe."""
    step = subprocess.Popen(load.command(), stdout=subprocess.PIPE)
    assert step.stdout is not None
    data, arrivals = bytearray(), []
    while piece := os.read(step.stdout.fileno(), 65_536):
        data += piece
        arrivals += [time.time()] * piece.count(b"\n")
    step.wait()
    _, stamps, _ = stamped_lines(bytes(data))
    seen = sorted(now - stamp for now, stamp in zip(arrivals, stamps, strict=True))
    report.add("bare pipe, p50", percentile(seen, 50) * 1000, "ms")
    report.add("bare pipe, p99", percentile(seen, 99) * 1000, "ms")


def measure_buildbot(buildbot: Buildbot, report: Report, seconds: float) -> None:
    """Buildbot 4.3 with viewers that do what its own page does, at the rate that it can take."""
    for viewers in (1, 20, 100):
        seen = buildbot.run("b_live.py", str(viewers), str(1 / PEER_LINES_A_SECOND), str(seconds))
        for percent in ("p50", "p99"):
            value = next(value for name, value in seen.items() if name.endswith(f"_{percent}") and "fetch" not in name)
            report.add(f"Buildbot 4.3, {PEER_LINES_A_SECOND} lines/s, {titled(viewers)}, {percent}", value, "ms")


def main() -> None:
    parser = arguments(__doc__ or "")
    peer_argument(parser)
    parser.add_argument(
        "--viewers", type=int, nargs="+", default=VIEWERS, help="how many at once (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each run (default: %(default)s)")
    options = parser.parse_args()
    runs, seconds = (1, 2.0) if options.quick else (options.runs, options.seconds)
    report = Report("live_latency")
    with tempfile.TemporaryDirectory(prefix="buildlogs-live-") as name:
        directory = Path(name)
        load = Load(seconds, directory)
        with running_product(directory) as product, running_bare(directory) as bare:
            for run in range(runs):
                print(f"run {run + 1} of {runs}", flush=True)
                measure_pipe(load, report)
                for viewers in options.viewers:
                    measure_bare(bare, load, report, viewers)
                    measure_product(product, load, report, viewers)
    if options.peer:
        with Buildbot(options.peer) as buildbot:
            measure_buildbot(buildbot, report, seconds)
    conclude(report, options)


if __name__ == "__main__":
    main()
