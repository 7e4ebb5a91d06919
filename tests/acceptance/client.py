"""Clients as strangers would write them from the contracts: a writer over REST, a viewer over a WebSocket."""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

CHUNKS_TYPE = "application/vnd.buildlogs.chunks"


def entry(channel: int | str, data: bytes) -> bytes:
    """One netstring of the chunk stream."""
    return b"%d:%s%s," % (len(data) + 1, str(channel).encode(), data)


class Writer:
    """A writer of builds over REST."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.http.post(path, json=body or {})
        assert answer.status_code in (200, 201), (answer.status_code, answer.text)
        return dict(answer.json())

    def new_log(self, name: str = "stdio", project: str = "demo", builder: str = "linux") -> dict[str, Any]:
        """A new build with one step and one log; returns the log, with both their ids and the build's number."""
        build = self.post("/builds", {"project": project, "builder": builder})
        step = self.post(f"/builds/{build['id']}/steps", {"name": "compile"})
        log = self.post(f"/steps/{step['id']}/logs", {"name": name})
        return {**log, "build": build["id"], "step": step["id"], "number": build["number"]}

    def chunks(self, log_id: int, body: bytes, offset: int | None = None, skip: int | None = None) -> httpx.Response:
        headers = {"Content-Type": CHUNKS_TYPE}
        if offset is not None:
            headers["Upload-Offset"] = str(offset)
        if skip is not None:
            headers["Upload-Skip"] = str(skip)
        return self.http.post(f"/logs/{log_id}/chunks", content=body, headers=headers)

    def finish(self, log_id: int, **values: Any) -> httpx.Response:
        return self.http.post(f"/logs/{log_id}/finish", json=values)


@dataclass
class Viewer:
    """A viewer that checks what it gets as it comes: contiguous offsets, runs that add up, lines that count right."""

    url: str
    log_id: int
    start: str = "0"
    window: int | None = None
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    trusting: ssl.SSLContext | None = None
    data: bytearray = field(default_factory=bytearray)
    runs: list[tuple[int, int, int]] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    first_offset: int = 0
    line: int = 1
    socket: ClientConnection | None = None
    close_code: int | None = None

    async def open(self) -> Viewer:
        query = f"?from={self.start}" + ("" if self.window is None else f"&window={self.window}")
        headers = dict(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.socket = await connect(
            f"{self.url}/ws/logs/{self.log_id}/{query}",
            subprotocols=["buildlogs.v1"],  # type: ignore[list-item]
            additional_headers=headers,
            ssl=self.trusting,
            max_size=2**20,
            compression=None,
        )
        return self

    @property
    def offset(self) -> int:
        return self.first_offset + len(self.data)

    async def step(self) -> dict[str, Any] | None:
        """Take one message; returns it if it is JSON, None if it was a frame."""
        assert self.socket is not None
        message = await self.socket.recv()
        if isinstance(message, str):
            decoded = dict(json.loads(message))
            self.messages.append(decoded)
            if decoded["type"] == "hello":
                self.first_offset, self.line = decoded["offset"], decoded["line"]
            return decoded
        self._take_frame(message)
        return None

    def _take_frame(self, message: bytes) -> None:
        (length,) = struct.unpack_from(">I", message)
        header = json.loads(message[4 : 4 + length])
        data = message[4 + length :]
        assert len(message) <= 256 * 1024
        assert header["offset"] == self.offset, f"a gap: expected {self.offset}, got {header['offset']}"
        assert sum(run[1] for run in header["runs"]) == len(data)
        assert 1 <= len(header["runs"]) <= 4096
        assert header["line"] == self.line, f"line {header['line']}, counted {self.line}"
        self.line += data.count(b"\n")
        self.data += data
        self.runs += [tuple(run) for run in header["runs"]]
        self.frames.append(len(data))

    async def ack(self) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps({"type": "ack", "offset": self.offset}))

    async def watch(self) -> Viewer:
        """Open, take everything, acknowledge at half a window, until the server closes."""
        await self.open()
        return await self.drain()

    async def drain(self, *, bytes_per_second: int | None = None) -> Viewer:
        """Take everything until the server closes, at a given speed if asked."""
        assert self.socket is not None
        acknowledged = self.offset
        half = (self.window or 1_048_576) // 2
        try:
            while True:
                before = len(self.data)
                message = await self.step()
                if bytes_per_second:
                    await asyncio.sleep((len(self.data) - before) / bytes_per_second)
                done = message is not None and message["type"] == "logFinished"
                if self.window != 0 and (self.offset - acknowledged >= half or done):
                    acknowledged = self.offset
                    await self.ack()
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else None
        return self

    async def stop(self) -> None:
        if self.socket is not None:
            await self.socket.close()
