"""A real server in a process of its own, and what a client needs to talk to it."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE_NAME = "buildlogs.sqlite3"
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


@dataclass(frozen=True)
class Prepared:
    """A migrated SQLite database to copy, and a token for all projects that is in it: what 5 s of two commands make."""

    path: Path
    token: str


@cache
def prepared() -> Prepared:
    """Made once a test process."""
    directory = Path(tempfile.mkdtemp(prefix="buildlogs-prepared-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    server = Server(directory)
    server.manage("migrate", "--verbosity", "0")
    token = server.manage("createtoken", "tests").strip()
    return Prepared(directory / DATABASE_NAME, token)


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
        self._database = data_dir / DATABASE_NAME
        self.environment.setdefault("DATABASE_URL", f"sqlite:///{self._database}")
        self._token: str | None = None
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
        """Make the database; one of SQLite's in the data directory is a copy of one that was migrated before."""
        if self.environment["DATABASE_URL"] == f"sqlite:///{self._database}" and not self._database.exists():
            shutil.copyfile(prepared().path, self._database)
            self._token = prepared().token
        else:
            self.manage("migrate", "--verbosity", "0")

    def token(self, *arguments: str) -> str:
        """A token for all projects, another one each time, unless the arguments say otherwise."""
        if self._token is not None and not arguments:
            token, self._token = self._token, None
            return token
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
                asked = httpx.get(f"{self.url}/healthz", headers={"X-Forwarded-Proto": "https"}, timeout=5)
                if asked.status_code == 200:  # also with BUILDLOGS_HTTPS
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
