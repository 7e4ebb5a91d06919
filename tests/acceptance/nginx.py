"""A real nginx before servers, with deploy/nginx.conf as it stands there but for ports and folders."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.acceptance.server import ROOT, free_port

SITE = ROOT / "deploy" / "nginx.conf"
START_SECONDS = 20
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Front:
    """An nginx process of the test's own: its address, and what it says of the requests it had."""

    def __init__(self, command: str, directory: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.websocket_url = f"ws://127.0.0.1:{self.port}"
        self.configuration = directory / "nginx.conf"
        self._access = directory / "access.log"
        self._errors = directory / "error.log"
        self._directory = directory
        self._command = [command, "-c", str(self.configuration), "-p", str(directory), "-e", str(self._errors)]

    def write(self, site: str) -> None:
        """Write nginx's own configuration around that of a site."""
        paths = "".join(f"{kind}_temp_path {self._directory}/{kind};\n" for kind in TEMPORARY)
        log = f"log_format files '$uri $status $upstream_http_x_accel_redirect';\naccess_log {self._access} files;"
        user = "user root;" if os.geteuid() == 0 else ""  # else its worker is nobody, who may not read the logs
        self.configuration.write_text(
            f"{user} daemon off; pid {self._directory}/nginx.pid; error_log {self._errors}; worker_processes 1;\n"
            f"events {{ worker_connections 512; }}\nhttp {{\n{log}\n{paths}{site}}}\n"
        )

    def check(self) -> None:
        """Have nginx look at its configuration."""
        done = subprocess.run([*self._command, "-t"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def start(self) -> subprocess.Popen[bytes]:
        """Start, and wait until the site behind it answers."""
        process = subprocess.Popen(self._command)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200:
                    return process
            except httpx.TransportError:
                pass
            assert process.poll() is None, self._errors.read_text()
            assert time.monotonic() < deadline, self._errors.read_text()
            time.sleep(0.05)

    def files(self) -> list[str]:
        """The places that the server gave, `-` where it answered by itself; of each request in turn."""
        return [line.split()[2] for line in self._access.read_text().splitlines()]

    def errors(self) -> str:
        """What nginx complained of."""
        return self._errors.read_text()

    def last_file(self) -> str:
        """Of the last request."""
        return self.files()[-1]


def site_for(ports: Sequence[int], front_port: int, logs: Path) -> str:
    """deploy/nginx.conf, with these servers behind it."""
    changes = {
        "listen 80;": f"listen 127.0.0.1:{front_port};",
        "127.0.0.1:8001 ": f"127.0.0.1:{ports[0]} ",
        "127.0.0.1:8002 ": f"127.0.0.1:{ports[-1]} ",
        "/var/lib/buildlogs/logs/": f"{logs}/",
    }
    text = SITE.read_text()
    for written, real in changes.items():
        assert text.count(written) == 1, written
        text = text.replace(written, real)
    return text


@contextmanager
def running_nginx(command: str, directory: Path, ports: Sequence[int], logs: Path) -> Iterator[Front]:
    """nginx before the servers at `ports`, which keep their logs in `logs`; stopped at the end."""
    directory.mkdir(exist_ok=True)
    front = Front(command, directory)
    front.write(site_for(ports, front.port, logs))
    process = front.start()
    try:
        yield front
    finally:
        process.terminate()
        process.wait(10)
