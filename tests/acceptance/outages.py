"""Services that go away and come back: a Redis of one's own, and a way to PostgreSQL that can be cut."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import redis

from tests.acceptance.server import free_port
from tests.services import missing

START_SECONDS = 20
PIECE_BYTES = 65536


class OwnRedis:
    """A Redis server of the test's own, without anything on disk."""

    def __init__(self, directory: Path) -> None:
        command = shutil.which("redis-server")
        if command is None:
            missing("Redis", "the command redis-server is not in PATH")
        self.port = free_port()
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._command = [command, *options, "--dir", str(directory)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while True:
                with contextlib.suppress(redis.RedisError):
                    client.ping()
                    return
                assert time.monotonic() < deadline, "redis-server did not start"
                time.sleep(0.05)

    def stop(self) -> None:
        """End it; nobody listens at its port any more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it with -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(START_SECONDS)
        self._process = None

    def freeze(self) -> None:
        """Let it hang: connections stay open and are accepted, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Way:
    """A TCP proxy to the service at `url`: it can be cut, or let hang. Listens on a port of its own from `open` on.

    `url` is then the service's address by this way.
    """

    def __init__(self, url: str, default_port: int) -> None:
        address = urlsplit(url)
        self._target = (address.hostname or "127.0.0.1", address.port or default_port)
        self.port = free_port()
        user = address.netloc.rpartition("@")[0]
        self.url = urlunsplit(address._replace(netloc=f"{user}{'@' * bool(user)}127.0.0.1:{self.port}"))
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._passes = threading.Event()
        self._passes.set()

    def open(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and end those that there are."""
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end_all()

    def hang(self) -> None:
        """Take connections and bytes, and hand on nothing."""
        self._passes.clear()

    def go_on(self) -> None:
        """Hand on again, on new connections; those that hung end."""
        self._passes.set()
        self._end_all()

    def close(self) -> None:
        """End for good."""
        self._passes.set()
        with contextlib.suppress(OSError):
            self.cut()

    def _end_all(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _address = listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._sockets |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE_BYTES):
                self._passes.wait()
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._sockets -= {source, target}
        source.close()
