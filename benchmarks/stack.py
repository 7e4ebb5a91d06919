"""The product as it is run: a real Daphne, the real agent, and what a client needs to look at their work."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measure import cpu_seconds, memory_bytes  # noqa: E402
from tests.acceptance.server import Server  # noqa: E402

PROJECT = "benchmark"
SAMPLE_SECONDS = 0.02
PRODUCTION = {
    "BUILDLOGS_DEBUG": "0",
    "BUILDLOGS_MAX_LOG_BYTES": "0",  # the logs are larger than most are let be
    "BUILDLOGS_UPKEEP_IN_SERVER": "0",  # sealing is measured by itself
}
BARE_APPLICATION = "benchmarks.bare:application"


@dataclass(frozen=True)
class AgentRun:
    """One command that has gone through the agent. Times are Unix times in seconds, memory is in bytes."""

    build: int
    launched_at: float
    ended_at: float
    exit_code: int
    agent_cpu_seconds: float
    agent_peak_rss_bytes: int
    log: dict[str, Any]


class Product:
    """A running server, and a token for it."""

    def __init__(self, server: Server, token: str) -> None:
        self.server = server
        self.token = token
        self.http = httpx.Client(
            base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def get(self, path: str) -> dict[str, Any]:
        """A resource."""
        return dict(self.http.get(path).raise_for_status().json())

    def new_build(self, builder: str) -> tuple[int, str]:
        """A build that the agent will join: its id and its external id."""
        name = str(uuid.uuid4())
        body = {"project": PROJECT, "builder": builder, "external_id": name}
        return int(self.http.post("/builds", json=body).raise_for_status().json()["id"]), name

    def log_of(self, build: int) -> dict[str, Any] | None:
        """The build's one log, as soon as the agent has created it."""
        return next((log for step in self.get(f"/builds/{build}")["steps"] for log in step["logs"]), None)

    def wait_for_log(self, build: int, seconds: float = 30) -> dict[str, Any]:
        """The build's log; asks until it is there."""
        deadline = time.monotonic() + seconds
        while (log := self.log_of(build)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the agent has created no log in {seconds} s")
            time.sleep(0.05)
        return log

    def start_agent(self, builder: str, external_id: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """`buildlogs run` of this tree; what it passes through to its terminal is thrown away."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("BUILDLOGS_")}
        environment = {
            **own,
            "PYTHONPATH": str(ROOT / "agent"),
            "BUILDLOGS_SERVER": self.server.url,
            "BUILDLOGS_TOKEN": self.token,
            "BUILDLOGS_SPOOL": str(self.server.data_dir / "spool"),
        }
        words = ["run", "--project", PROJECT, "--builder", builder, "--external-id", external_id, "--", *command]
        return subprocess.Popen(
            [sys.executable, "-m", "buildlogs_agent", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def run_agent(self, builder: str, command: Sequence[str]) -> AgentRun:
        """Run a command through the agent until that has ended; checks that the log is finished and verified."""
        build, name = self.new_build(builder)
        launched_at = time.time()
        process = self.start_agent(builder, name, command)
        watch = PeakWatch(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        ended_at = time.time()
        used = cpu_seconds(process.pid)  # it is still a zombie: its times can be read, without its children's
        exit_code = process.wait()
        log = self.wait_for_log(build)
        if exit_code or log["state"] != "finished" or log["completeness"] != "verified":
            raise RuntimeError(f"exit code {exit_code}, log {log['state']}, {log['completeness']}")
        return AgentRun(build, launched_at, ended_at, exit_code, used, watch.stop(), log)


class PeakWatch:
    """Reads a process's peak of resident memory every 20 ms: /proc forgets it when the process ends.

    wait4 would tell it too, but counts what the parent had before the exec.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_bytes = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            try:
                executed = b"buildlogs_agent" in Path(f"/proc/{self._pid}/cmdline").read_bytes()
                if executed:
                    self._peak_bytes = max(self._peak_bytes, memory_bytes(self._pid, "VmHWM"))
            except OSError:
                return

    def stop(self) -> int:
        """The peak in bytes."""
        self._stopped.set()
        self._thread.join()
        return self._peak_bytes


@contextmanager
def running_product(directory: Path) -> Iterator[Product]:
    """The product on a new data directory, as in production."""
    server = _server(directory / "product", PRODUCTION)
    server.migrate()
    token = server.token()
    server.start()
    try:
        yield Product(server, token)
    finally:
        server.stop()


@contextmanager
def running_bare(directory: Path) -> Iterator[Server]:
    """The yardsticks of bare.py on a Daphne of their own, held by the same guard."""
    server = _server(directory / "bare", PRODUCTION, application=BARE_APPLICATION)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _server(data_dir: Path, environment: Mapping[str, str], **options: Any) -> Server:
    data_dir.mkdir()
    return Server(data_dir, environment=environment, **options)
