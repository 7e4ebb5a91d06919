"""Real server processes and raw sockets for the guard's acceptance tests."""

import base64
import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
START_SECONDS = 20.0
POLL_SECONDS = 0.05  # each look is a connection, which Daphne remembers for a second


@dataclass
class Server:
    """A running server: its port, its process, and what it wrote."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def connect(self, receive_buffer_bytes: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", self.port))
        return sock

    def get(self, path: str) -> dict:
        with self.connect() as sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return json.loads(read_all(sock).partition(b"\r\n\r\n")[2])

    def state(self) -> dict:
        return self.get("/state")

    def until(self, condition, seconds: float = 15.0) -> dict:
        """Ask for the state until ``condition`` holds for it."""
        deadline = time.monotonic() + seconds
        while not condition(state := self.state()):
            assert time.monotonic() < deadline, f"the server never got there: {state}"
            time.sleep(POLL_SECONDS)
        return state

    def until_still(self, key: str, seconds: float = 15.0) -> dict:
        """Ask for the state until ``key`` is the same for half a second: the server waits."""
        deadline = time.monotonic() + seconds
        seen, since = self.state()[key], time.monotonic()
        while time.monotonic() - since < 0.5:
            state = self.state()
            if state[key] != seen:
                seen, since = state[key], time.monotonic()
            assert time.monotonic() < deadline, f"{key} never stands still"
            time.sleep(POLL_SECONDS)
        return state

    def websocket(self, path: str, receive_buffer_bytes: int | None = None) -> "WebSocket":
        return WebSocket(self.connect(receive_buffer_bytes), path)


class WebSocket:
    """A client that reads and answers only when told to."""

    def __init__(self, sock: socket.socket, path: str, wait: bool = True, headers: str = "Host: x\r\n") -> None:
        self.sock, self.rest = sock, b""
        sock.sendall(handshake(path, headers))
        if wait:
            self.read_handshake()

    def read_handshake(self) -> None:
        while b"\r\n\r\n" not in self.rest:
            data = self.sock.recv(4096)
            assert data, "the server closed instead of upgrading"
            self.rest += data
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        assert b" 101 " in head.split(b"\r\n")[0], head

    def frame(self, opcode: int, payload: bytes = b"") -> bytes:
        return frame_header(opcode, len(payload)) + payload

    def send(self, opcode: int, payload: bytes = b"") -> None:
        self.sock.sendall(self.frame(opcode, payload))

    def _take(self, count: int) -> bytes:
        parts, have = [self.rest], len(self.rest)
        while have < count:
            data = self.sock.recv(min(count - have, 65536))
            if not data:
                raise EOFError
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.rest = whole[count:]
        return whole[:count]

    def receive(self) -> tuple[int, bytes]:
        first, length = self._take(2)
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(length)

    def receive_to_the_end(self, bytes_per_second: float | None = None) -> tuple[int, tuple[int, str] | None]:
        """Return how many payload bytes came, and the close frame's code and reason; answers it and pings."""
        total, closed, started = 0, None, time.monotonic()
        while True:
            try:
                opcode, payload = self.receive()
            except (EOFError, ConnectionError):
                return total, closed
            if opcode == 8:
                closed = struct.unpack(">H", payload[:2])[0], payload[2:].decode()
                with contextlib.suppress(OSError):
                    self.send(8, payload[:2])
            elif opcode == 9:
                self.send(10, payload)
            else:
                total += len(payload)
                if bytes_per_second:
                    time.sleep(max(0.0, started + total / bytes_per_second - time.monotonic()))

    def close(self) -> None:
        self.sock.close()


def handshake(path: str, headers: str) -> bytes:
    """The request that asks for a WebSocket; each line of `headers` ends in CRLF."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\n{headers}Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def frame_header(opcode: int, length: int) -> bytes:
    """A client's frame header with a mask of zeros, which leaves the payload as it is."""
    if length < 126:
        return struct.pack(">BB", 0x80 | opcode, 0x80 | length) + b"\0\0\0\0"
    if length < 65536:
        return struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length) + b"\0\0\0\0"
    return struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length) + b"\0\0\0\0"


def read_all(sock: socket.socket) -> bytes:
    parts = []
    while data := sock.recv(65536):
        parts.append(data)
    return b"".join(parts)


def push(sock: socket.socket, piece: bytes, limit_bytes: int, still_seconds: float = 1.0) -> int:
    """Send ``piece`` again and again until ``limit_bytes`` or until the socket takes nothing for ``still_seconds``."""
    sock.setblocking(False)
    sent, at = 0, 0
    view = memoryview(piece)
    writable = select.poll()  # unlike select.select for descriptors of any number
    writable.register(sock, select.POLLOUT)
    try:
        while sent < limit_bytes:
            if not writable.poll(still_seconds * 1000):
                break
            count = sock.send(view[at:])
            sent, at = sent + count, (at + count) % len(piece)
    finally:
        sock.settimeout(20)
    return sent


@contextlib.contextmanager
def running(server: str, log: Path, *, guarded: bool = True) -> Iterator[Server]:
    """Run ``daphne`` or ``uvicorn`` with the test application on a free port."""
    commands = {
        "daphne": ["-m", "daphne", "-b", "127.0.0.1", "-p"],
        "uvicorn": ["-m", "uvicorn", "--log-level", "warning", "--host", "127.0.0.1", "--port"],
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *commands[server], str(port), "tests.acceptance.guard.application:application"],
            cwd=ROOT,
            env={**os.environ, "GUARDED": "1" if guarded else "0", "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"{server} did not listen: {log.read_text()}"
            time.sleep(0.02)
        yield Server(port, process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
