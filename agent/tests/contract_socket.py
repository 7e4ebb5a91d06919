"""The `/ws/intake/` of the contract server: output frames in, acknowledgements out, and mishaps on purpose."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from contract_server import ContractServer

MAX_FRAME_BYTES = 1024 * 1024
MAX_UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024
HANDSHAKE_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10


class Cut(Exception):
    """The connection ends in the middle of whatever it was doing."""


@dataclass
class Bye(Exception):
    """Close with this code; one that lingers leaves the end of the stream to the agent."""

    code: int
    lingers: bool = False


@dataclass
class Refusal(Exception):
    """Answer a frame with this error."""

    problem: str
    extra: Optional[dict[str, Any]] = None


@dataclass
class Frame:
    log: int
    offset: int
    skip: int
    body: bytes


class Connection:
    """What a mishap may look at, and do: `bytes_left` until the connection is cut, and whether it answers."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.bytes_left: float = float("inf")
        self.mute = False
        self.frames = 0
        self._lock = threading.Lock()

    def read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            if self.bytes_left <= 0:
                raise Cut
            piece = self.socket.recv(int(min(length - len(data), self.bytes_left, 65536)))
            if not piece:
                raise Cut
            self.bytes_left -= len(piece)
            data += piece
        return bytes(data)

    def read_message(self) -> tuple[int, bytes]:
        first, second = self.read(2)
        assert first & 0x80, "a message in fragments"
        assert second & 0x80, "a client that does not mask"
        length = second & 0x7F
        if length > 125:
            (length,) = struct.unpack(">H" if length == 126 else ">Q", self.read(2 if length == 126 else 8))
        assert length <= MAX_FRAME_BYTES, f"a frame of {length} bytes"
        mask = self.read(4)
        data = self.read(length)
        keys = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        return first & 0x0F, (int.from_bytes(data, "big") ^ keys).to_bytes(length, "big")

    def write(self, opcode: int, data: bytes) -> None:
        if self.mute:
            return
        length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
        with self._lock:
            self.socket.sendall(bytes([0x80 | opcode]) + length + data)

    def tell(self, message: dict[str, Any]) -> None:
        self.write(1, json.dumps(message).encode())


class SocketDoor:
    """`opened` is asked after each handshake, `faults` before each frame is stored, `acks` before each answer.

    `handshake` may answer otherwise than with 101. Answers to one log come at most 20 times a second, unless a MiB
    has been stored since the last one.
    """

    def __init__(self) -> None:
        self.flush_ms = 20
        self.ack_seconds = 0.05
        self.handshake: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: True
        self.opened: Callable[[Connection], None] = lambda connection: None
        self.faults: Callable[[Connection, Frame], None] = lambda connection, frame: None
        self.acks: Callable[[Connection, int], bool] = lambda connection, offset: True
        self.handshakes = 0
        self.connections: list[Connection] = []
        self.breaches: list[str] = []
        self.peak_unacknowledged = 0

    def serve(self, server: ContractServer, handler: BaseHTTPRequestHandler) -> None:
        self.handshakes += 1
        if server.token is not None and handler.headers.get("Authorization") != f"Bearer {server.token}":
            handler.send_error(401)
            return
        if not self.handshake(handler):
            return
        key = handler.headers["Sec-WebSocket-Key"] + HANDSHAKE_KEY
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        handler.wfile.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode())
        handler.close_connection = True
        connection = Connection(handler.connection)
        with server.changed:
            self.connections.append(connection)
            server.changed.notify_all()
        try:
            self.opened(connection)
            _Session(self, server, connection).run()
        except Bye as bye:
            connection.write(CLOSE, struct.pack(">H", bye.code))
            with contextlib.suppress(Cut, OSError):
                while bye.lingers:
                    connection.read_message()
        except (Cut, OSError):
            _reset(connection.socket)
        except AssertionError as breach:
            self.breaches.append(str(breach))


class _Session:
    def __init__(self, door: SocketDoor, server: ContractServer, connection: Connection) -> None:
        self._door = door
        self._server = server
        self._connection = connection
        self._acknowledged_at: dict[int, float] = {}
        self._due: dict[int, int] = {}
        self._unacknowledged: dict[int, int] = {}

    def run(self) -> None:
        while True:
            self._acknowledge_what_is_due()
            self._connection.socket.settimeout(None if not self._due else 0.01)
            try:
                self._connection.socket.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            except socket.timeout:
                continue
            self._connection.socket.settimeout(None)
            opcode, data = self._connection.read_message()
            if opcode == CLOSE:
                self._connection.write(CLOSE, data[:2])
                return
            if opcode == PING:
                self._connection.write(PONG, data)
            elif opcode == BINARY:
                self._take(data)

    def _take(self, message: bytes) -> None:
        (length,) = struct.unpack_from(">I", message)
        header = json.loads(message[4 : 4 + length])
        assert set(header) <= {"log", "offset", "skip"}, header
        frame = Frame(header["log"], header["offset"], header.get("skip", 0), message[4 + length :])
        self._connection.frames += 1
        self._unacknowledged[frame.log] = self._unacknowledged.get(frame.log, 0) + len(message)
        waiting = sum(self._unacknowledged.values())
        self._door.peak_unacknowledged = max(self._door.peak_unacknowledged, waiting)
        assert waiting <= MAX_UNACKNOWLEDGED_BYTES, f"{waiting} bytes unacknowledged"
        try:
            self._door.faults(self._connection, frame)
            self._store(frame)
        except Refusal as refusal:
            self._refuse(frame, refusal)
        else:
            self._due[frame.log] = len(message) + self._due.get(frame.log, 0)

    def _store(self, frame: Frame) -> None:
        from contract_server import Problem

        with self._server.changed:
            log = self._server.logs[frame.log - 1]
            try:
                self._server.store(log, frame.offset, frame.skip, frame.body)
            except Problem as problem:
                offset = {"offset": log.received} if problem.type.endswith("offset-gap") else {}
                raise Refusal(problem.type.rsplit("/", 1)[-1], offset) from None
            finally:
                self._server.changed.notify_all()

    def _refuse(self, frame: Frame, refusal: Refusal) -> None:
        self._unacknowledged[frame.log] = 0
        error = {"type": "error", "log": frame.log, "problem": refusal.problem, "detail": "on purpose"}
        self._connection.tell({**error, **(refusal.extra or {})})

    def _acknowledge_what_is_due(self) -> None:
        now = time.monotonic()
        for number, size in list(self._due.items()):
            waited = now - self._acknowledged_at.get(number, 0.0)
            if waited < self._door.ack_seconds and size < 1024 * 1024:
                continue
            del self._due[number]
            with self._server.changed:
                offset = self._server.logs[number - 1].received
            self._acknowledged_at[number] = now
            if self._door.acks(self._connection, offset):
                self._unacknowledged[number] = 0
                self._connection.tell(
                    {"type": "received", "log": number, "offset": offset, "flush_ms": self._door.flush_ms}
                )


def _reset(sock: socket.socket) -> None:
    """As a machine that dies: no goodbye."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
