"""1000 open logs, each written at 10 lines a second: from a line's being spooled until it is acknowledged, p99.

The agents' side is one light process (`many_logs.py --write`, run by this script) with the agent's own spools, streams
and sockets, as many logs to a socket as asked for; each line is spooled by itself, logs take turns evenly. Server and
writers together are to stay within two cores. What a log costs is the growth of both by the number of logs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "agent"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from buildlogs_agent.intake import IntakeSocket
from buildlogs_agent.spool import Spool
from buildlogs_agent.stream import Listener, OutputStream
from buildlogs_agent.wire import STDOUT, Piece

from benchmarks.measure import MIB, Meter, Report, allow_descriptors, arguments, conclude, memory_bytes, percentile
from benchmarks.stack import Product, running_product

LOGS = 1000
LINES_A_SECOND = 10
LINE = b"x" * 99 + b"\n"
WARM_UP_SECONDS = 2.0
MAX_P99_MS = 500.0
MAX_CORES = 2.0
CONNECT_SECONDS = 30
SETTLE_SECONDS = 30


class TimedSpool(Spool):
    """A spool that remembers when each of its lines was spooled, and how long its acknowledgement took."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        super().__init__(directory)
        self.unanswered: deque[tuple[int, float]] = deque()
        self.latencies: list[float] = []
        self.counted_from = float("inf")

    def write_line(self) -> None:
        """One line, now."""
        self.unanswered.append((self.end + len(LINE), time.monotonic()))
        self.append([Piece(STDOUT, time.time_ns() // 1000, LINE)])

    def acknowledge(self, offset: int) -> None:
        super().acknowledge(offset)
        now = time.monotonic()
        while self.unanswered and self.unanswered[0][0] <= offset:
            spooled_at = self.unanswered.popleft()[1]
            if spooled_at >= self.counted_from:
                self.latencies.append(now - spooled_at)


def write(server: str, logs: list[int], sockets: int, seconds: float, directory: Path) -> dict[str, Any]:
    """Write to all logs for so long; what came of it."""
    allow_descriptors(len(logs) + 100)
    rss_before = memory_bytes(os.getpid(), "VmRSS")
    spools = [TimedSpool(directory / str(log)) for log in logs]
    intakes = [IntakeSocket(server, os.environ["BUILDLOGS_TOKEN"]) for _ in range(sockets)]
    listener = Listener(lambda: None, lambda reason: print(f"away: {reason}", file=sys.stderr))
    streams = [OutputStream(log, spool, 0, False, listener) for log, spool in zip(logs, spools, strict=True)]
    for intake in intakes:
        intake.open()
    for index, stream in enumerate(streams):
        deadline = time.monotonic() + CONNECT_SECONDS
        while not intakes[index % sockets].attach(stream):
            if time.monotonic() > deadline:
                raise RuntimeError("no socket")
    print("ready", flush=True)
    sys.stdin.readline()
    cpu_before, began = _cpu_seconds(), time.monotonic()
    late = _write_lines(spools, seconds)
    elapsed, cpu = time.monotonic() - began, _cpu_seconds() - cpu_before
    rss = memory_bytes(os.getpid(), "VmRSS") - rss_before
    for spool in spools:
        spool.close()
    whole = all(stream.wait(SETTLE_SECONDS) for stream in streams)
    latencies = sorted(latency for spool in spools for latency in spool.latencies)
    return {
        "p50": percentile(latencies, 50),
        "p99": percentile(latencies, 99),
        "max": latencies[-1],
        "lines": len(latencies),
        "whole": whole,
        "late": late,
        "seconds": elapsed,
        "cores": cpu / elapsed,
        "rss": rss,
        "threads": threading.active_count(),
    }


def _write_lines(spools: list[TimedSpool], seconds: float) -> float:
    """One line to each log in turn, evenly over time; the lateness of the last, in seconds.

    What was spooled before the end of the warm-up is not counted.
    """
    rate = len(spools) * LINES_A_SECOND
    warm = round(rate * WARM_UP_SECONDS)
    began = time.monotonic()
    for number in range(warm + round(rate * seconds)):
        due = began + number / rate
        if due > time.monotonic() + 0.002:  # in little bursts: a sleep for each line would be half of the work
            time.sleep(due - time.monotonic())
        if number == warm:
            for spool in spools:
                spool.counted_from = time.monotonic()
        spools[number % len(spools)].write_line()
    return time.monotonic() - due


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def create_logs(product: Product, count: int) -> list[int]:
    """Open logs, all of one step."""
    build, _ = product.new_build("many")
    step = product.http.post(f"/builds/{build}/steps", json={"name": "many"}).raise_for_status().json()["id"]
    return [
        int(product.http.post(f"/steps/{step}/logs", json={"name": f"log {number}"}).raise_for_status().json()["id"])
        for number in range(count)
    ]


def measure(product: Product, count: int, sockets: int, seconds: float, directory: Path, report: Report) -> None:
    """One run: the writers in their own process, the server beside them."""
    logs = create_logs(product, count)
    directory.mkdir()
    words = ["--write", product.server.url, str(sockets), str(seconds), str(directory), json.dumps(logs)]
    with subprocess.Popen(
        [sys.executable, __file__, *words],
        env={**os.environ, "BUILDLOGS_TOKEN": product.token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        if writer.stdout.readline() != "ready\n":
            raise RuntimeError("the writers did not start")
        meter = Meter(product.server.pid)
        writer.stdin.write("\n")
        writer.stdin.flush()
        seen = json.loads(writer.stdout.readline())
        usage = meter.read()
    if not seen["whole"] or not seen["lines"]:
        raise RuntimeError("not all was acknowledged")
    server_cores = usage.cpu_seconds / seen["seconds"]
    report.add("acknowledged, p50", seen["p50"] * 1000, "ms")
    report.add("acknowledged, p99", seen["p99"] * 1000, "ms", ("<=", MAX_P99_MS))
    report.add("acknowledged, the last", seen["max"] * 1000, "ms")
    report.add("lines a second", seen["lines"] / seconds, "lines/s")
    report.add("cores, server and writers", server_cores + seen["cores"], "cores", ("<=", MAX_CORES))
    report.add("of these the server", server_cores, "cores")
    report.add("how late the last line was written", seen["late"] * 1000, "ms")
    report.add("CPU of the server for each log", server_cores * 1000 / count, "ms/s")
    report.add("CPU of the writers for each log", seen["cores"] * 1000 / count, "ms/s")
    report.add("RSS of the server for each log", usage.rss_growth_bytes / 1024 / count, "KiB")
    report.add("RSS of the writers for each log", seen["rss"] / 1024 / count, "KiB")
    report.add("RSS growth of the server", usage.rss_growth_bytes / MIB, "MiB")


def main() -> None:
    if sys.argv[1:2] == ["--write"]:
        server, sockets, seconds, directory, logs = sys.argv[2:]
        print(json.dumps(write(server, json.loads(logs), int(sockets), float(seconds), Path(directory))), flush=True)
        return
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--logs", type=int, default=LOGS, help="how many are open (default: %(default)s)")
    parser.add_argument("--sockets", type=int, default=1, help="over how many sockets (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each run (default: %(default)s)")
    options = parser.parse_args()
    runs, seconds = (1, 3.0) if options.quick else (options.runs, options.seconds)
    report = Report("many_logs")
    with tempfile.TemporaryDirectory(prefix="buildlogs-many-") as name:
        directory = Path(name)
        with running_product(directory) as product:
            for run in range(runs):
                print(f"run {run + 1} of {runs}", flush=True)
                measure(product, options.logs, options.sockets, seconds, directory / f"spools-{run}", report)
    conclude(report, options)


if __name__ == "__main__":
    main()
