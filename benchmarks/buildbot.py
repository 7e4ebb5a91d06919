"""Buildbot 4.3 as a yardstick, run by the scripts it was measured with before.

They are kept outside this repository; `prepare.sh DIR` copies them, `DIR/setup_b.sh` installs Buildbot beside them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 600


class Buildbot:
    """A master and a worker, fresh, on loopback while the context lasts."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        if not (self._directory / "venv43/bin/buildbot").exists():
            raise SystemExit(f"--peer {directory}: no Buildbot there; see benchmarks/README.md")

    def __enter__(self) -> Self:
        if not (self._directory / "gen").exists():
            self._call("gcc", "-O2", "-o", "gen", "gen.c")
        self._call("bash", "b_start.sh", "fresh")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call("bash", "b_stop.sh")

    def run(self, script: str, *words: str) -> dict[str, float]:
        """Run a measurement; what it prints as `name: value unit`."""
        printed = self._call("venv43/bin/python", script, *words)
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
