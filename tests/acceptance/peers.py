"""Peers that misbehave: raw sockets at each of the server's doors."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

from tests.acceptance.client import Writer, entry
from tests.acceptance.guard.servers import WebSocket, frame_header
from tests.acceptance.server import Server

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
SOCKETS = ["log", "build", "project", "intake"]
PATIENCE_SECONDS = 20
WARM_UP_BYTES = 16 * 1024 * 1024


class Peer(WebSocket):
    """A WebSocket that does what it is told to and nothing else."""

    def say(self, message: dict[str, Any]) -> None:
        self.send(TEXT, json.dumps(message).encode())

    def next_message(self) -> dict[str, Any]:
        """The next JSON message; what else comes is dropped."""
        while True:
            opcode, payload = self.receive()
            assert opcode != CLOSE, f"closed instead: {payload!r}"
            if opcode == TEXT:
                return dict(json.loads(payload))

    def next_of(self, kind: str) -> dict[str, Any]:
        """The next message of that type."""
        while (message := self.next_message())["type"] != kind:
            pass
        return message

    def ending(self) -> tuple[dict[str, Any], int]:
        """Read to the end: the last message, and the close frame's code."""
        last: dict[str, Any] = {}
        while True:
            opcode, payload = self.receive()
            if opcode == TEXT:
                last = json.loads(payload)
            elif opcode == CLOSE:
                with contextlib.suppress(OSError):
                    self.send(CLOSE, payload[:2])
                return last, struct.unpack(">H", payload[:2])[0]

    def text_to_the_end(self) -> tuple[int, int]:
        """Read to the end without acknowledging: how many bytes of text came, contiguous, and the close code."""
        offset = 0
        while True:
            opcode, payload = self.receive()
            if opcode == BINARY:
                start, length = frame_offsets(payload)
                assert start == offset
                offset += length
            elif opcode == CLOSE:
                with contextlib.suppress(OSError):
                    self.send(CLOSE, payload[:2])
                return offset, struct.unpack(">H", payload[:2])[0]

    def vanish(self) -> None:
        """Go without a word: RST."""
        vanish(self.sock)


@dataclass
class Place:
    """A server, and something to watch and to write there."""

    server: Server
    token: str
    writer: Writer
    log: dict[str, Any]

    @property
    def headers(self) -> str:
        return f"Host: 127.0.0.1:{self.server.port}\r\nAuthorization: Bearer {self.token}\r\n"

    def path(self, kind: str) -> str:
        """The address of a kind of socket."""
        return {
            "log": f"/ws/logs/{self.log['id']}/",
            "build": f"/ws/builds/{self.log['build']}/",
            "project": "/ws/projects/demo/",
            "intake": "/ws/intake/",
        }[kind]

    def connect(self, *, receive_buffer_bytes: int | None = None, port: int | None = None) -> socket.socket:
        sock = socket.socket()
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.settimeout(PATIENCE_SECONDS)
        sock.connect(("127.0.0.1", port or self.server.port))
        return sock

    def open(self, kind: str, query: str = "", **options: Any) -> Peer:
        """A socket of that kind, accepted; the viewers' have said what they say first."""
        peer = Peer(self.connect(**options), self.path(kind) + query, headers=self.headers)
        if kind == "log":
            peer.next_of("hello")
        elif kind != "intake":
            peer.next_of("snapshot")
        return peer

    def get(self, path: str, **options: Any) -> socket.socket:
        """A connection that has asked for `path` and read nothing."""
        sock = self.connect(**options)
        sock.sendall(f"GET {path} HTTP/1.1\r\n{self.headers}\r\n".encode())
        return sock

    def new_log(self, project: str = "demo") -> Place:
        """The same place with a new log in a new build."""
        return Place(self.server, self.token, self.writer, self.writer.new_log(project=project))

    def write(self, total: int, body_bytes: int = 1_000_000) -> None:
        """Append so many bytes to the log, and wait until they are stored."""
        offset = 0
        while offset < total:
            size = min(body_bytes, total - offset)
            answer = self.writer.chunks(self.log["id"], lines(size), offset)
            assert answer.status_code == 200, answer.text
            offset += size

    def works(self, kind: str, peer: Peer) -> None:
        """The socket does what it is there for; then it is closed."""
        if kind == "log":
            assert self.writer.chunks(self.log["id"], entry(0, b"still here\n"), None).status_code == 200
            opcode, payload = peer.receive()
            while opcode != BINARY:
                opcode, payload = peer.receive()
            assert payload.endswith(b"still here\n")
        elif kind == "intake":
            log = self.writer.new_log()
            peer.send(BINARY, intake_frame(log["id"], 0, entry(0, b"still here\n")))
            assert peer.next_of("received")["offset"] == 11
        else:
            peer.say({"type": "snapshot"})
            peer.next_of("snapshot")
        peer.close()


def lines(size: int) -> bytes:
    """A chunk stream of one entry: lines of 100 bytes, `size` bytes in all."""
    return entry(0, ((b"x" * 99 + b"\n") * (size // 100 + 1))[:size])


def intake_frame(log_id: Any, offset: Any, stream: bytes = b"") -> bytes:
    """A frame of the intake socket."""
    header = json.dumps({"log": log_id, "offset": offset}).encode()
    return struct.pack(">I", len(header)) + header + stream


def frame_offsets(payload: bytes) -> tuple[int, int]:
    """Where the text in a viewer's frame starts, and how long it is."""
    (length,) = struct.unpack_from(">I", payload)
    header = json.loads(payload[4 : 4 + length])
    return header["offset"], len(payload) - 4 - length


def ping(payload: bytes) -> bytes:
    return frame_header(PING, len(payload)) + payload


def vanish(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def make_place(server: Server) -> Place:
    """A place on a server whose allocator has reached its working size."""
    token = server.token()
    writer = Writer(server.url, token)
    place = Place(server, token, writer, writer.new_log())
    follow = f"/api/v1/logs/{place.log['id']}/raw?follow=1"
    stalled = [place.open("log", f"?window={window}").sock for window in (0, 4_194_304)] + [place.get(follow)]
    place.write(WARM_UP_BYTES)
    writer.finish(place.log["id"])
    for connection in stalled:
        vanish(connection)
    watching = Peer(place.connect(), place.path("log") + "?window=0", headers=place.headers)
    watching.receive_to_the_end()
    for kind in SOCKETS:
        place.open(kind).close()
    return place.new_log()
