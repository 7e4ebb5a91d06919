"""A WebSocket client as thin as the protocol allows: it must not be what is measured.

The websockets library takes a message of 192 KiB through several copies and a task switch; this one receives into one
buffer and hands out views of it. Only what Daphne sends is understood: whole messages, no compression.
"""

from __future__ import annotations

import base64
import mmap
import os
import socket
import struct
from collections.abc import Iterator

BUFFER_BYTES = 2 * 1024 * 1024
RECEIVE_BYTES = 512 * 1024
MAX_HEADER_BYTES = 16_384
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
NO_MASK = bytes(4)
"""A client must mask; a key of zeros is a key, and leaves the payload as it is."""


class WebSocket:
    """One connection. Take messages with `messages`, or call `receive` when readable and then `buffered`."""

    def __init__(self, host: str, port: int, path: str, token: str | None = None) -> None:
        self.socket = socket.create_connection((host, port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = mmap.mmap(-1, BUFFER_BYTES)  # takes memory only as far as it is used: there may be thousands
        self._view = memoryview(self._buffer)
        self._start = self._stop = 0
        self._shake_hands(f"{host}:{port}", path, token)

    def _shake_hands(self, host: str, path: str, token: str | None) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        ]
        if token:
            lines += [f"Authorization: Bearer {token}", "Sec-WebSocket-Protocol: buildlogs.v1"]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while (end := self._buffer.find(b"\r\n\r\n", 0, self._stop)) < 0:
            if self._stop > MAX_HEADER_BYTES or not self.receive():
                raise ConnectionError("no answer to the handshake")
        if not self._buffer[:end].startswith(b"HTTP/1.1 101"):
            raise ConnectionError(self._buffer[:end].decode("latin-1"))
        self._start = end + 4

    def receive(self) -> bool:
        """Take what has arrived, at most half a MiB, waiting if nothing has; False at the end."""
        if self._start == self._stop:
            self._start = self._stop = 0  # again the same memory: it is in the processor's cache
        elif len(self._buffer) - self._stop < RECEIVE_BYTES:
            kept = self._stop - self._start
            self._view[:kept] = self._view[self._start : self._stop]
            self._start, self._stop = 0, kept
        count = self.socket.recv_into(self._view[self._stop : self._stop + RECEIVE_BYTES])
        self._stop += count
        return count > 0

    def buffered(self) -> Iterator[tuple[int, memoryview]]:
        """The whole messages received so far; each is gone when the next one is asked for."""
        while (message := self._next()) is not None:
            yield message

    def messages(self) -> Iterator[tuple[int, memoryview]]:
        """All messages until the connection ends; a close is answered."""
        while True:
            yield from self.buffered()
            if not self.receive():
                return

    def _next(self) -> tuple[int, memoryview] | None:
        available = self._stop - self._start
        if available < 2:
            return None
        opcode, length, header = self._buffer[self._start] & 0x0F, self._buffer[self._start + 1], 2
        if length == 126:
            header = 4
        elif length == 127:
            header = 10
        if available < header:
            return None
        if header > 2:
            (length,) = struct.unpack_from(">H" if header == 4 else ">Q", self._buffer, self._start + 2)
        if available < header + length:
            return None
        payload = self._view[self._start + header : self._start + header + length]
        self._start += header + length
        if opcode == CLOSE:
            self.send(CLOSE, bytes(payload[:2]))
        elif opcode == PING:
            self.send(PONG, bytes(payload))
        return opcode, payload

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one message; the socket must be able to take it."""
        if len(payload) < 126:
            header = struct.pack(">BB", 0x80 | opcode, 0x80 | len(payload))
        elif len(payload) < 65_536:
            header = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, len(payload))
        else:
            header = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, len(payload))
        self.socket.sendall(header + NO_MASK + payload)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()
