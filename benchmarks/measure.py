"""What all benchmarks share: readings of processes, medians, and the file of results.

A figure is a number of runs and their median; with it stand its yardstick, measured in the same run of the same
script, and its goal. What a machine does alone says little; the ratio to the yardstick says more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PRODUCT_PATHS = ("agent", "benchmarks", "buildlogs", "logviewer", "requirements.txt", "tests/acceptance/server.py")
RESULT_PATHS = (":!benchmarks/results", ":!benchmarks/README.md")
PACKAGES = ("django", "channels", "daphne", "twisted", "autobahn")
MB = 1_000_000
MIB = 1024 * 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value below which `percent` of 100 of the sorted values lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, also of one that has ended and is not yet waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def memory_bytes(pid: int, name: str) -> int:
    """A field of /proc/PID/status in bytes: VmRSS now, VmHWM its peak; 0 for a process that has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True)
class Usage:
    """What a process has used between two moments."""

    cpu_seconds: float
    rss_before_bytes: int
    peak_rss_bytes: int

    @property
    def rss_growth_bytes(self) -> int:
        """How far resident memory rose above where it stood, at its peak."""
        return max(0, self.peak_rss_bytes - self.rss_before_bytes)


class Meter:
    """Reads a running process from now on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak starts anew (proc(5))
        self._rss_before = memory_bytes(pid, "VmRSS")
        self._cpu_before = cpu_seconds(pid)

    def read(self) -> Usage:
        """What it has used since."""
        return Usage(cpu_seconds(self._pid) - self._cpu_before, self._rss_before, memory_bytes(self._pid, "VmHWM"))


@dataclass
class Figure:
    """One measured quantity. `goal` is (">=" or "<=", value in `unit`); `yardstick` names another figure."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    goal: tuple[str, float] | None = None
    yardstick: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        sign, value = self.goal
        return self.median >= value if sign == ">=" else self.median <= value


class Report:
    """The figures of one run of a script: a table on the screen, and results/NAME.json."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: dict[str, Figure] = {}
        self._load_before = os.getloadavg()[0]
        self._started = datetime.now(UTC)

    def add(
        self,
        name: str,
        value: float,
        unit: str,
        goal: tuple[str, float] | None = None,
        yardstick: str | None = None,
    ) -> None:
        """Another value of the figure `name`."""
        figure = self.figures.setdefault(name, Figure(name, unit, goal=goal, yardstick=yardstick))
        figure.values.append(value)
        print(f"  {name}: {rounded(value)} {unit}", flush=True)

    def ratio(self, figure: Figure) -> float | None:
        """The figure's median by its yardstick's."""
        yardstick = self.figures.get(figure.yardstick or "")
        return figure.median / yardstick.median if yardstick and yardstick.median else None

    def as_json(self) -> dict[str, Any]:
        """What is kept."""
        return {
            "name": self.name,
            "command": command_line(),
            "date": self._started.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "commit": commit(),
            "changed_since_commit": changed_paths(),
            "machine": machine() | {"load_before": round(self._load_before, 2)},
            "figures": [self._figure_as_json(figure) for figure in self.figures.values()],
        }

    def _figure_as_json(self, figure: Figure) -> dict[str, Any]:
        ratio = self.ratio(figure)
        return {
            "name": figure.name,
            "unit": figure.unit,
            "median": rounded(figure.median),
            "runs": [rounded(value) for value in figure.values],
            "goal": figure.goal and f"{figure.goal[0]} {figure.goal[1]:g}",
            "met": figure.met,
            "yardstick": figure.yardstick if ratio is not None else None,
            "ratio_to_yardstick": None if ratio is None else rounded(ratio),
        }

    def print_table(self) -> None:
        """Medians, one a line."""
        width = max(len(name) for name in self.figures)
        print()
        for figure in self.figures.values():
            ratio = self.ratio(figure)
            goal = "" if figure.goal is None else f"goal {figure.goal[0]} {figure.goal[1]:g}"
            goal += {None: "", True: " met", False: " MISSED"}[figure.met]
            compared = "" if ratio is None else f"{rounded(ratio)} x {figure.yardstick}"
            measured = f"{figure.name:{width}}  {rounded(figure.median):>10} {figure.unit:<6}"
            print(f"{measured}  {goal:<18}  {compared}".rstrip())

    def write(self, directory: Path) -> None:
        """Write NAME.json."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.name}.json"
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n")
        print(f"\nwritten: {path}")


def rounded(value: float) -> float | int:
    """Three digits; more would be noise."""
    if value == int(value) and abs(value) < 1e15:
        return int(value)
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")


def command_line() -> str:
    """How this was called, from the repository's root."""
    script = Path(sys.argv[0]).resolve().relative_to(ROOT)
    return shlex.join(["python", str(script), *sys.argv[1:]])


def commit() -> str:
    """The commit that is checked out."""
    return _git("rev-parse", "HEAD").strip()


def changed_paths() -> list[str]:
    """Files that matter here and are not as in the commit."""
    return [line[3:] for line in _git("status", "--porcelain", "--", *PRODUCT_PATHS, *RESULT_PATHS).splitlines()]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def machine() -> dict[str, Any]:
    """Where this was measured."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=3, help="how often each figure is measured (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="little data, one run, nothing written: does it work?")
    parser.add_argument("--output", type=Path, help="where NAME.json goes (default: benchmarks/results)")
    return parser


def allow_descriptors(count: int) -> None:
    """Let this process, and those that it starts from now on, have so many descriptors open, if the machine does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def peer_argument(parser: argparse.ArgumentParser) -> None:
    """The option of the benchmarks that have a peer's figure beside them."""
    parser.add_argument("--peer", type=Path, metavar="DIR", help="also measure Buildbot 4.3, set up in DIR (README.md)")


def conclude(report: Report, options: argparse.Namespace) -> None:
    """Show the figures, and keep them unless the run was a quick one."""
    report.print_table()
    if options.output or not options.quick:
        report.write(options.output or RESULTS)
