"""Yardsticks: what a plain ASGI application reaches on the same Daphne, held by the same guard.

`daphne benchmarks.bare:application`. No rights, no storage, no protocol: what the product adds is what differs.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from logviewer.doors.guard import guard

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

FRAME_HEADER = b'{"offset":0,"line":1,"runs":[[0,65536,1764392400000],[0,65536,1764392400010],[0,65536,1764392400020]]}'
"""Of the length that a fast step's frames have."""

_viewers: set[asyncio.Queue[bytes | None]] = set()


async def bare(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Choose by path."""
    parameters = {name: int(value) for name, value in parse_qsl(scope.get("query_string", b"").decode())}
    await DOORS[scope["type"], scope["path"]](receive, send, **parameters)


async def discard(receive: Receive, send: Send) -> None:
    """Take a body and throw it away."""
    while (await receive()).get("more_body"):
        continue
    await _respond(send, b"ok")


async def download(receive: Receive, send: Send, size: int, piece: int) -> None:
    """`size` bytes from memory, in pieces."""
    await _start(send, size)
    block = memoryview(b"x" * piece).toreadonly()
    for sent in range(0, size, piece):
        await send({"type": "http.response.body", "body": bytes(block[: size - sent]), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def frames(receive: Receive, send: Send, size: int, frame: int) -> None:
    """`size` bytes from memory, in frames such as a log's, as fast as the transport takes them; acks are ignored."""
    await _accept(receive, send)
    head = FRAME_HEADER
    block = struct.pack(">I", len(head)) + head + b"x" * (frame - 4 - len(head))
    for sent in range(0, size, frame):
        await send({"type": "websocket.send", "bytes": block if size - sent >= frame else block[: size - sent]})
        await asyncio.sleep(0)
    await send({"type": "websocket.close", "code": 1000})


async def feed(receive: Receive, send: Send) -> None:
    """Hand each message to all viewers; the end of the connection is theirs too."""
    await _accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        _tell_viewers(message["bytes"])
    _tell_viewers(None)


async def take(receive: Receive, send: Send) -> None:
    """Take messages, throw them away, and answer each with how many bytes came so far."""
    await _accept(receive, send)
    received = 0
    while (message := await receive())["type"] == "websocket.receive":
        received += len(message["bytes"])
        await send({"type": "websocket.send", "text": f'{{"offset":{received}}}'})


async def view(receive: Receive, send: Send) -> None:
    """Be handed what is fed, until the feeder goes."""
    await _accept(receive, send)
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    _viewers.add(queue)
    try:
        await send({"type": "websocket.send", "text": '{"type":"live"}'})
        while (data := await queue.get()) is not None:
            await send({"type": "websocket.send", "bytes": data})
    finally:
        _viewers.discard(queue)
    await send({"type": "websocket.close", "code": 1000})


def _tell_viewers(data: bytes | None) -> None:
    for queue in _viewers:
        queue.put_nowait(data)


async def health(receive: Receive, send: Send) -> None:
    """Up."""
    await _respond(send, b"ok")


async def _accept(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def _start(send: Send, size: int) -> None:
    headers = [(b"content-length", str(size).encode()), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _respond(send: Send, body: bytes) -> None:
    await _start(send, len(body))
    await send({"type": "http.response.body", "body": body})


DOORS: dict[tuple[str, str], Callable[..., Awaitable[None]]] = {
    ("http", "/healthz"): health,
    ("http", "/discard"): discard,
    ("http", "/download"): download,
    ("websocket", "/frames"): frames,
    ("websocket", "/feed"): feed,
    ("websocket", "/take"): take,
    ("websocket", "/view"): view,
}

application = guard(bare)  # type: ignore[arg-type]  # a plain dict is a scope
