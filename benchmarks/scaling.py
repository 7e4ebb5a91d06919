"""One and two Daphne processes on one data directory, with PostgreSQL and Redis: how many viewers of how many logs?

Writers send 1000 lines of 100 bytes a second in all, each with the time of its sending, over one `/ws/intake/` socket
for each process; every log's viewers are spread over all processes, so that with two of them half are not at the one
that stores. Then logs are written as fast as they are taken, with a viewer each. The yardstick of two processes is one.

Where it bends: a process has one core. What viewers cost is messages, not lines: each flush of a log sends one to each
of its viewers. A thousand viewers of one log cost 0.3 of a core, since a log flushes ten times a second for so many; a
hundred logs with ten viewers each flush a thousand times a second, which is 10,000 messages beside 1000 small appends,
and fill the core: the median rises from some 10 to over 100 ms, and the slowest to a second. Nothing is lost there. A
second process takes half of the flushes and moves the bend as far as there is another core that neither the viewers
here nor PostgreSQL and Redis need.
"""

from __future__ import annotations

import http.client
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg
from psycopg import sql

from benchmarks.measure import MB, Meter, Report, allow_descriptors, arguments, conclude, cpu_seconds, percentile
from benchmarks.stack import PRODUCTION
from benchmarks.tick import LINE_BYTES
from benchmarks.viewers import Viewer, latencies, stamped_lines, watch
from benchmarks.websocket import BINARY, TEXT, WebSocket
from tests.acceptance.client import CHUNKS_TYPE, Writer, entry
from tests.acceptance.server import Server
from tests.services import DATABASE_URL, REDIS_URL

PROCESSES = (1, 2)
LINES_A_SECOND = 1000
SHORTEST_INTERVAL_SECONDS = 0.05
BODY_BYTES = 1_000_000
FAST_LOGS = 4
FAST_BYTES = 200 * MB
QUICK_FAST_BYTES = 8 * MB
DESCRIPTORS = 8192


@dataclass(frozen=True)
class Load:
    """What is written and watched."""

    logs: int
    viewers_of_each: int

    @property
    def title(self) -> str:
        """In words."""
        logs = "1 log" if self.logs == 1 else f"{self.logs} logs"
        return f"{logs} x {self.viewers_of_each} viewers"


LOADS = (Load(1, 100), Load(1, 400), Load(1, 1000), Load(10, 10), Load(10, 40), Load(10, 100), Load(100, 10))
QUICK_LOADS = (Load(1, 20), Load(10, 4))


class Site:
    """Server processes on one data directory, and what writes to them."""

    def __init__(self, servers: Sequence[Server], token: str) -> None:
        self.servers = servers
        self.token = token
        self._writer = Writer(servers[0].url, token)

    def new_logs(self, count: int) -> list[int]:
        """Open logs."""
        return [int(self._writer.new_log()["id"]) for _ in range(count)]

    def finish(self, log_ids: Sequence[int]) -> None:
        """End them; their viewers are closed by that."""
        for log_id in log_ids:
            self._writer.finish(log_id).raise_for_status()

    def start_viewers(self, log_ids: Sequence[int], viewers_of_each: int) -> subprocess.Popen[str]:
        """A process of viewers, spread over the servers; returns when all of them see their log live."""
        wanted = [
            [log_id, self.servers[(place + number) % len(self.servers)].port]
            for place, log_id in enumerate(log_ids)
            for number in range(viewers_of_each)
        ]
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--view"],
            env=os.environ | {"BUILDLOGS_TOKEN": self.token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(wanted) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the viewers did not get ready")
        return process


class PacedWriter:
    """The output of some logs over one socket of one process."""

    def __init__(self, server: Server, token: str, log_ids: Sequence[int]) -> None:
        self._socket = WebSocket("127.0.0.1", server.port, "/ws/intake/", token)
        self._sent = dict.fromkeys(log_ids, 0)
        self._numbers = dict.fromkeys(log_ids, 0)
        self._received = dict.fromkeys(log_ids, 0)
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def send(self, log_id: int, lines: int) -> None:
        """Send so many lines of a log, each with the time and its number."""
        text = b""
        for _ in range(lines):
            stamp = f"T{time.time():.6f} {self._numbers[log_id]:09d} "
            text += (stamp.ljust(LINE_BYTES - 1, "x") + "\n").encode()
            self._numbers[log_id] += 1
        header = json.dumps({"log": log_id, "offset": self._sent[log_id]}).encode()
        self._socket.send(BINARY, struct.pack(">I", len(header)) + header + entry(0, text))
        self._sent[log_id] += len(text)

    def close(self) -> None:
        """Wait until everything is acknowledged."""
        deadline = time.monotonic() + 60
        while self._received != self._sent:
            if time.monotonic() > deadline:
                raise TimeoutError("the server has not acknowledged everything")
            time.sleep(0.02)
        self._socket.close()

    def _listen(self) -> None:
        try:
            for opcode, payload in self._socket.messages():
                if opcode == TEXT:
                    said = json.loads(bytes(payload))
                    if said["type"] != "received":
                        raise RuntimeError(f"the server refused a frame: {said}")
                    self._received[said["log"]] = said["offset"]
        except OSError:  # closed by this side
            return


def view() -> None:
    """The process of the viewers: told which on standard input, it prints what they saw."""
    allow_descriptors(DESCRIPTORS)
    wanted: list[list[int]] = json.loads(sys.stdin.readline())
    token = os.environ["BUILDLOGS_TOKEN"]
    viewers: dict[int, list[Viewer]] = {}
    for log_id, port in wanted:
        of_log = viewers.setdefault(log_id, [])
        of_log.append(Viewer(port, f"/ws/logs/{log_id}/", token, bare=False, keep=not of_log))
    watch([viewer for of_log in viewers.values() for viewer in of_log])
    ended_at = time.time()
    found: list[float] = []
    received, same = 0, True
    every = -(-len(wanted) // 100)
    for of_log in viewers.values():
        ends, stamps, numbers = stamped_lines(bytes(of_log[0].data))
        same = same and numbers == list(range(len(numbers))) and len({v.sha256.digest() for v in of_log}) == 1
        for number, viewer in enumerate(of_log):
            received += bisect_right(ends, viewer.offset)
            found += latencies(viewer, ends, stamps, number % every, every)
    found.sort()
    figures = {name: percentile(found, percent) * 1000 for name, percent in (("p50", 50), ("p99", 99))} if found else {}
    print(json.dumps({"received": received, "same": same, "ended_at": ended_at, **figures}))


def measure_latency(site: Site, load: Load, seconds: float, report: Report) -> None:
    """Paced writers, and viewers of all of it."""
    log_ids = site.new_logs(load.logs)
    watching = site.start_viewers(log_ids, load.viewers_of_each)
    count = len(site.servers)
    writers = [PacedWriter(server, site.token, log_ids[place::count]) for place, server in enumerate(site.servers)]
    writer_of = {log_id: writers[place % count] for place, log_id in enumerate(log_ids)}
    meters = [Meter(server.pid) for server in site.servers]
    interval = max(SHORTEST_INTERVAL_SECONDS, load.logs / LINES_A_SECOND)
    lines = round(LINES_A_SECOND / load.logs * interval)
    rounds = round(seconds / interval)
    began = time.monotonic()
    for number in range(rounds):
        for place, log_id in enumerate(log_ids):
            wait = began + (number + place / len(log_ids)) * interval - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            writer_of[log_id].send(log_id, lines)
    for writer in writers:
        writer.close()
    elapsed = time.monotonic() - began
    cores = [meter.read().cpu_seconds / elapsed for meter in meters]
    site.finish(log_ids)
    viewers_cpu = cpu_seconds(watching.pid) / elapsed
    seen = json.loads(watching.communicate()[0])
    name, one = f"{titled(count)}, {load.title}", f"{titled(1)}, {load.title}"
    if not seen["same"]:
        raise RuntimeError(f"{name}: the viewers saw different or disordered contents")
    for percent in ("p50", "p99"):
        report.add(f"{name}, {percent}", seen[percent], "ms", None, f"{one}, {percent}" if count > 1 else None)
    expected = rounds * lines * load.logs * load.viewers_of_each
    report.add(f"{name}, lines lost", expected - seen["received"], "lines", ("<=", 0))
    report.add(f"{name}, delivered", seen["received"] / elapsed, "lines/s")
    report.add(f"{name}, cores of the busiest process", max(cores), "cores")
    report.add(f"{name}, cores of the viewers", viewers_cpu, "cores")


def measure_throughput(site: Site, total_bytes: int, report: Report) -> None:
    """Logs written as fast as they are taken, with a viewer each at the next process."""
    log_ids = site.new_logs(FAST_LOGS)
    watching = site.start_viewers(log_ids, 1)
    body = entry(0, (b"x" * (LINE_BYTES - 1) + b"\n") * (BODY_BYTES // LINE_BYTES))
    bodies = total_bytes // FAST_LOGS // BODY_BYTES
    failures: list[BaseException] = []

    def write(log_id: int, server: Server) -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            headers = {"Authorization": f"Bearer {site.token}", "Content-Type": CHUNKS_TYPE}
            for number in range(bodies):
                offset = {"Upload-Offset": str(number * BODY_BYTES)}
                connection.request("POST", f"/api/v1/logs/{log_id}/chunks", body, headers | offset)
                answer = connection.getresponse()
                told = answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status}: {told!r}")
            connection.close()
        except BaseException as error:
            failures.append(error)

    count = len(site.servers)
    threads = [
        threading.Thread(target=write, args=(log_id, site.servers[(place + 1) % count]))
        for place, log_id in enumerate(log_ids)
    ]
    began = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = time.time()
    if failures:
        raise failures[0]
    site.finish(log_ids)
    seen = json.loads(watching.communicate()[0])
    total = bodies * BODY_BYTES * FAST_LOGS
    name, one = titled(count), titled(1)
    for what, seconds in (("stored", stored - began), ("seen by a viewer each", seen["ended_at"] - began)):
        figure = f"{FAST_LOGS} logs as fast as they are taken, {what}"
        yardstick = f"{one}, {figure}" if count > 1 else None
        report.add(f"{name}, {figure}", total / MB / seconds, "MB/s", None, yardstick)


def titled(processes: int) -> str:
    """How many, in words."""
    return "1 process" if processes == 1 else f"{processes} processes"


@contextmanager
def own_database() -> Iterator[str]:
    """An empty PostgreSQL database, dropped at the end; returns its address."""
    name = f"buildlogs_scaling_{os.getpid()}"
    with psycopg.connect(DATABASE_URL, autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(DATABASE_URL)._replace(path=f"/{name}"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def running_site(directory: Path, processes: int) -> Iterator[Site]:
    """So many processes on a new data directory and a new database."""
    data_dir = directory / f"site-{processes}"
    data_dir.mkdir()
    with ExitStack() as stack:
        environment = PRODUCTION | {"DATABASE_URL": stack.enter_context(own_database()), "REDIS_URL": REDIS_URL}
        servers = [Server(data_dir, environment=environment) for _ in range(processes)]
        servers[0].migrate()
        token = servers[0].token()
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield Site(servers, token)


def main() -> None:
    if sys.argv[1:] == ["--view"]:
        view()
        return
    parser = arguments(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each run (default: %(default)s)")
    options: Any = parser.parse_args()
    runs, seconds, loads, fast_bytes = options.runs, options.seconds, LOADS, FAST_BYTES
    if options.quick:
        runs, seconds, loads, fast_bytes = 1, 2.0, QUICK_LOADS, QUICK_FAST_BYTES
    allow_descriptors(DESCRIPTORS)
    report = Report("scaling")
    for run in range(runs):
        print(f"run {run + 1} of {runs}", flush=True)
        for processes in PROCESSES:
            with (
                tempfile.TemporaryDirectory(prefix="buildlogs-scaling-") as name,
                running_site(Path(name), processes) as site,
            ):
                for load in loads:
                    measure_latency(site, load, seconds, report)
                measure_throughput(site, fast_bytes, report)
    conclude(report, options)


if __name__ == "__main__":
    main()
