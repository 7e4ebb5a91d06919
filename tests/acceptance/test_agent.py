"""The agent against the real server: output over `/ws/intake/`, whatever happens to the server meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.server import ROOT, SEALS_NOTHING, Server, running_server

SECONDS = 120
LINES = 400
TALKING = f"""
import time
for number in range({LINES}):
    print(f"line {{number}} " + "x" * 200, flush=True)
    time.sleep(0.005)
"""
SPOKEN = "".join(f"line {number} {'x' * 200}\n" for number in range(LINES)).encode()


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def written_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module's own, for it is killed."""
    directory = tmp_path_factory.mktemp(request.param)
    with running_server(directory, kind=request.param, environment=SEALS_NOTHING) as server:
        yield server


@pytest.fixture(scope="module")
def write_token(written_server: Server) -> str:
    return written_server.token()


class Build:
    """`buildlogs run` of a command, under way."""

    def __init__(self, server: Server, token: str, directory: Path, *command: str) -> None:
        self.http = httpx.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": f"Bearer {token}"})
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BUILDLOGS_")},
            "PYTHONPATH": str(ROOT / "agent"),
            "BUILDLOGS_SERVER": server.url,
            "BUILDLOGS_TOKEN": token,
            "BUILDLOGS_SPOOL": str(directory / "spool"),
            "BUILDLOGS_PATIENCE": str(SECONDS),
        }
        self.name = directory.name
        words = ["run", "--project", "agent", "--builder", "linux", "--external-id", self.name, "--", *command]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "buildlogs_agent", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def read_line(self, number: int) -> None:
        """Read the command's output until this line."""
        assert self.process.stdout is not None
        wanted = f"line {number} ".encode()
        assert any(line.startswith(wanted) for line in iter(self.process.stdout.readline, b""))

    def end(self) -> dict[str, Any]:
        """Wait for its end; the log as the server shows it."""
        _, stderr = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, stderr
        build = {"project": "agent", "builder": "linux", "external_id": self.name}
        known = self.http.post("/builds", json=build).json()
        (step,) = self.http.get(f"/builds/{known['id']}").json()["steps"]
        (log,) = step["logs"]
        return dict(self.http.get(f"/logs/{log['id']}").json())

    def stdout_of(self, log: dict[str, Any]) -> bytes:
        return self.http.get(f"/logs/{log['id']}/raw", params={"channels": "stdout"}).content


def restart_killed(server: Server) -> None:
    server.kill()
    time.sleep(0.3)  # the command goes on meanwhile
    server.start()


def restart_politely(server: Server) -> None:
    server.stop()
    server.start()


@pytest.mark.parametrize("restart", [restart_killed, restart_politely], ids=["kill", "term"])
def test_a_server_that_is_restarted_has_everything_once(
    written_server: Server, write_token: str, tmp_path: Path, restart: Callable[[Server], None]
) -> None:
    build = Build(written_server, write_token, tmp_path, sys.executable, "-c", TALKING)
    build.read_line(60)
    restart(written_server)
    log = build.end()
    assert (log["state"], log["completeness"]) == ("finished", "verified")
    assert build.stdout_of(log) == SPOKEN


def test_a_long_log_goes_over_the_socket(written_server: Server, write_token: str, tmp_path: Path) -> None:
    connects = written_server.log_path.read_bytes().count(b"/ws/intake/")
    build = Build(written_server, write_token, tmp_path, "seq", "2000000")
    log = build.end()
    assert (log["state"], log["completeness"]) == ("finished", "verified")
    assert build.stdout_of(log) == b"".join(b"%d\n" % number for number in range(1, 2_000_001))
    assert written_server.log_path.read_bytes().count(b"/ws/intake/") > connects
