"""A real server in a process of its own, and what a client needs to talk to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60
STOP_SECONDS = 15
APPLICATION = "buildlogs.asgi:application"
SEALS_NOTHING = {"BUILDLOGS_UPKEEP_IN_SERVER": "0"}
"""The environment of a server that leaves finished logs plain, for tests that seal them by hand or not at all."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server process on one data directory. `kind` is daphne, runserver or uvicorn."""

    def __init__(
        self,
        data_dir: Path,
        *,
        kind: str = "daphne",
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        application: str = APPLICATION,
        arguments: Sequence[str] = (),
    ) -> None:
        self.data_dir = data_dir
        self.kind = kind
        self.port = port or free_port()
        self.application = application
        self.arguments = arguments
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BUILDLOGS_", "DJANGO_"))},
            "BUILDLOGS_DATA_DIR": str(data_dir),
            "BUILDLOGS_DEBUG": "1",  # plain static files: no collectstatic before each test
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
            **(environment or {}),
        }
        self.environment.setdefault("DATABASE_URL", f"sqlite:///{data_dir / 'buildlogs.sqlite3'}")
        self.log_path = data_dir / f"server-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def manage(self, *arguments: str) -> str:
        """Run a management command beside the server; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def migrate(self) -> None:
        self.manage("migrate", "--verbosity", "0")

    def token(self, *arguments: str) -> str:
        """A token for all projects, unless the arguments say otherwise."""
        return self.manage("createtoken", "tests", *arguments).strip()

    def start(self) -> Server:
        """Start, and wait until it answers."""
        commands = {
            "daphne": ["-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port), *self.arguments, self.application],
            "runserver": ["manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"],
            "uvicorn": [
                "-m",
                "uvicorn",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                *self.arguments,
                self.application,
            ],
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *commands[self.kind]], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log_path.read_text()}")
            if time.monotonic() > deadline:
                self.process.send_signal(signal.SIGABRT)  # says where it stands
                self.process.wait(STOP_SECONDS)
                raise AssertionError(f"the server did not start:\n{self.log_path.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9, in the middle of whatever it does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """SIGTERM, then -9 if that does not help."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def rss_bytes(self) -> int:
        """Resident memory of the server process now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running_server(data_dir: Path, **options: object) -> Iterator[Server]:
    """A migrated, started server; stopped at the end."""
    server = Server(data_dir, **options)  # type: ignore[arg-type]  # handed through
    server.migrate()
    server.start()
    try:
        yield server
    finally:
        server.stop()
