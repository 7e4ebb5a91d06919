"""Buildbot as a yardstick, 4.3 and the 0.8.14 that this descends from, by the scripts they were measured with before.

They are kept outside this repository; `prepare.sh DIR` copies them, `DIR/setup_b.sh` and `DIR/setup_a.sh` install the
two beside them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

TIMEOUT_SECONDS = 600


class Version(NamedTuple):
    """A Buildbot, and the scripts that start and stop it; `python` is the one its measurements run in."""

    name: str
    command: str
    start: str
    stop: str
    python: str


CURRENT = Version("Buildbot 4.3", "venv43/bin/buildbot", "b_start.sh", "b_stop.sh", "venv43/bin/python")
OLD = Version("Buildbot 0.8.14", "venv08/bin/buildbot", "a_start.sh", "a_stop.sh", sys.executable)


class Buildbot:
    """A master and a worker, fresh, on loopback while the context lasts."""

    def __init__(self, directory: Path, version: Version = CURRENT) -> None:
        self._directory = directory.resolve()
        self._version = version
        if not self.is_installed(directory, version):
            raise SystemExit(f"--peer {directory}: no {version.name} there; see benchmarks/README.md")

    @staticmethod
    def is_installed(directory: Path, version: Version) -> bool:
        """Whether that version was set up in `directory`."""
        return (directory / version.command).exists()

    def __enter__(self) -> Self:
        if not (self._directory / "gen").exists():
            self._call("gcc", "-O2", "-o", "gen", "gen.c")
        self._call("bash", self._version.start, "fresh")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call("bash", self._version.stop)

    def run(self, script: str, *words: str) -> dict[str, float]:
        """Run a measurement; what it prints as `name: value unit`."""
        printed = self._call(self._version.python, script, *words)
        found: dict[str, float] = {}
        for line in printed.splitlines():
            name, _, rest = line.partition(": ")
            try:
                found[name] = float(rest.split()[0])
            except (ValueError, IndexError):
                continue
        return found

    @property
    def printer(self) -> str:
        """The command that prints lines of 100 bytes; takes their number."""
        return str(self._directory / "gen")

    def _call(self, *words: str) -> str:
        done = subprocess.run(
            words, cwd=self._directory, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout
