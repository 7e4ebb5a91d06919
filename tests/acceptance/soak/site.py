"""What the weather can hit: server processes on one data directory, their Redis, and the way to their database."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.acceptance.outages import OwnRedis, Way
from tests.acceptance.server import APPLICATION, Server

END_SECONDS = 15.0
"""For a server to end after SIGTERM; 5 s is the promise, the rest is a loaded machine."""


class Process(Protocol):
    """A process that can be hit. All of it blocks for as long as it takes."""

    name: str

    def kill(self) -> None:
        """End it with -9."""

    def end(self) -> None:
        """End it with SIGTERM."""

    def freeze(self) -> None:
        """Stop it where it stands."""

    def thaw(self) -> None:
        """Let it go on."""

    def start(self) -> None:
        """Start it again."""


class ServerProcess:
    """One of the site's servers."""

    def __init__(self, number: int, server: Server) -> None:
        self.name = f"server {number}"
        self.server = server

    def kill(self) -> None:
        self.server.kill()

    def end(self) -> None:
        assert self.server.process is not None
        self.server.process.terminate()
        try:
            code = self.server.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {END_SECONDS} s of SIGTERM") from None
        assert code == 0, f"{self.name} ended with {code} after SIGTERM"

    def freeze(self) -> None:
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGCONT)

    def start(self) -> None:
        self.server.start()


class Redis:
    """The site's Redis."""

    name = "redis 0"

    def __init__(self, redis: OwnRedis) -> None:
        self._redis = redis

    def kill(self) -> None:
        self._redis.kill()

    def end(self) -> None:
        self._redis.stop()

    def freeze(self) -> None:
        self._redis.freeze()

    def thaw(self) -> None:
        self._redis.thaw()

    def start(self) -> None:
        self._redis.start()


class Database:
    """The way to the site's PostgreSQL, which others use as well: what it cannot be reached by is as good as gone."""

    name = "database 0"

    def __init__(self, way: Way) -> None:
        self._way = way

    def kill(self) -> None:
        self._way.cut()

    def end(self) -> None:
        self._way.cut()

    def freeze(self) -> None:
        self._way.hang()

    def thaw(self) -> None:
        self._way.go_on()

    def start(self) -> None:
        self._way.open()


class Site:
    """One or more servers on `data_dir`, with one database, and what `others` they need."""

    def __init__(
        self,
        data_dir: Path,
        servers: int,
        environment: Mapping[str, str],
        others: Sequence[Process] = (),
        application: str = APPLICATION,
    ) -> None:
        self.data_dir = data_dir
        self.servers = [
            ServerProcess(number, Server(data_dir, environment=environment, application=application))
            for number in range(servers)
        ]
        self.processes: list[Process] = [*self.servers, *others]

    def start(self) -> str:
        """Start all servers; returns a token for them."""
        self.servers[0].server.migrate()
        token = self.servers[0].server.token()
        for each in self.servers:
            each.start()
        return token

    def stop(self) -> None:
        """End all servers, whatever state they are in."""
        for each in self.servers:
            process = each.server.process
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
            each.server.stop()

    def url(self, dice: random.Random) -> str:
        """The address of any of the servers."""
        return dice.choice(self.servers).server.url

    def tracebacks(self) -> list[str]:
        """The last lines of the tracebacks in the servers' logs."""
        found: list[str] = []
        for each in self.servers:
            blocks = each.server.log_path.read_text(errors="replace").split("Traceback (most recent call last):\n")
            for block in blocks[1:]:
                found += [line for line in block.splitlines() if not line.startswith(" ")][:1]
        return found
