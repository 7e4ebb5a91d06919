"""Fixtures: a contract server, and a way to run the agent against it as people do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from contract_server import ContractServer

PATIENCE_SECONDS = 120
"""Until a process that hangs fails its test: long enough for a loaded machine."""


class Agent:
    """The `buildlogs` command with an environment of its own."""

    def __init__(self, directory: Path, server: str) -> None:
        self.spool = directory / "spool"
        self.bin = directory / "bin"
        self.bin.mkdir()
        command = self.bin / "buildlogs"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m buildlogs_agent "$@"\n')
        command.chmod(0o755)
        keep = {name: value for name, value in os.environ.items() if not name.startswith("BUILDLOGS_")}
        self.environment = {
            **keep,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "HOME": str(directory),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "BUILDLOGS_SERVER": server,
            "BUILDLOGS_SPOOL": str(self.spool),
            "BUILDLOGS_PROJECT": "demo",
        }

    def start(
        self, *arguments: str | bytes, env: dict[str, Any] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, "-m", "buildlogs_agent", *arguments]
        return subprocess.Popen(command, env={**self.environment, **(env or {})}, **pipes)

    def run(self, *arguments: str | bytes, env: dict[str, Any] | None = None) -> subprocess.CompletedProcess[bytes]:
        with self.start(*arguments, env=env) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def run_on_a_machine_where(
        self, patch: str, *arguments: str, env: dict[str, Any] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the agent in a process in which `patch`, Python source, has spoiled something of the system's."""
        script = f"{patch}\nfrom buildlogs_agent.__main__ import main\nraise SystemExit(main({list(arguments)!r}))"
        command, environment = [sys.executable, "-c", script], {**self.environment, **(env or {})}
        return subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE_SECONDS, check=False)

    def run_one(self, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        """`buildlogs run` of one command."""
        return self.run("run", "--builder", "linux", "--", *command, env=env)

    def spooled(self) -> list[Path]:
        return sorted((self.spool / "logs").iterdir())


@pytest.fixture
def server() -> Any:
    with ContractServer() as running:
        yield running


@pytest.fixture
def agent(tmp_path: Path, server: ContractServer) -> Agent:
    return Agent(tmp_path, server.url)
