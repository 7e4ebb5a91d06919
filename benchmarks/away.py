"""A build of 10,000 lines a second through the agent, with the server away, side by side with the bare command.

The command computes for 95 µs before each line of 100 bytes and writes it at once; its own time, from its first line
to its last, is what counts, and that of the whole call of the agent is told too. Away is: nothing listens, so that
connections are refused; a black hole, that accepts connections and never says a word; and, as a comparison, nobody is
away. The agent is told to wait for nobody at its end (`BUILDLOGS_PATIENCE=0`).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import Report, arguments, conclude
from benchmarks.stack import PROJECT, running_product
from benchmarks.text import compile_command
from tests.acceptance.server import free_port

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Path(__file__).resolve().parent / "working.c"
LINES_A_SECOND = 10_000
WORK_MICROSECONDS = 95
MAX_PERCENT_SLOWER = 5.0
BARE = "bare command"


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of a server that lets clients connect, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def seconds_of(command: list[str], environment: dict[str, str], told: Path) -> tuple[float, float]:
    """How long the command took by its own clock, and how long the whole call."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        while process.stdout.read1(1024 * 1024):
            continue
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}")
    return float(told.read_text()), time.perf_counter() - started


class Comparison:
    """The same command, bare and through the agent."""

    def __init__(self, directory: Path, lines: int, report: Report) -> None:
        self._told = directory / "seconds"
        self._command = [
            str(compile_command(SOURCE, directory)), str(lines), str(WORK_MICROSECONDS), str(self._told)
        ]  # fmt: skip
        self._spool = directory / "spool"
        self._own = {name: value for name, value in os.environ.items() if not name.startswith("BUILDLOGS_")}
        self._report = report
        self._bare_seconds = 0.0

    def run_bare(self) -> None:
        self._bare_seconds, _ = seconds_of(self._command, self._own, self._told)
        self._report.add(BARE, self._bare_seconds, "s")

    def run_agent(self, name: str, server: str, token: str = "") -> None:
        environment = {
            **self._own,
            "PYTHONPATH": str(ROOT / "agent"),
            "BUILDLOGS_SERVER": server,
            "BUILDLOGS_TOKEN": token,
            "BUILDLOGS_SPOOL": str(self._spool),
            "BUILDLOGS_PATIENCE": "60" if token else "0",
        }
        words = ["run", "--project", PROJECT, "--builder", "away", "--", *self._command]
        seconds, whole = seconds_of([sys.executable, "-m", "buildlogs_agent", *words], environment, self._told)
        goal = None if token else ("<=", MAX_PERCENT_SLOWER)
        self._report.add(f"{name}: slower by", (seconds / self._bare_seconds - 1) * 100, "%", goal)
        self._report.add(f"{name}: with the agent's start and end", whole, "s", None, BARE)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each build (default: %(default)s)")
    options = parser.parse_args()
    runs, seconds = (1, 1.0) if options.quick else (options.runs, options.seconds)
    report = Report("away")
    with tempfile.TemporaryDirectory(prefix="buildlogs-away-") as name:
        directory = Path(name)
        comparison = Comparison(directory, round(seconds * LINES_A_SECOND), report)
        with running_product(directory) as product, black_hole() as hole:
            for run in range(runs):
                print(f"run {run + 1} of {runs}", flush=True)
                comparison.run_bare()
                comparison.run_agent("nothing listens", f"http://127.0.0.1:{free_port()}")
                comparison.run_agent("black hole", hole)
                comparison.run_agent("the server is there", product.server.url, product.token)
    conclude(report, options)


if __name__ == "__main__":
    main()
