"""A small ASGI application, stock and guarded, that the acceptance tests and measurements serve with real servers."""

import asyncio
import hashlib
import json
import os
from pathlib import Path

from logviewer.doors.guard import guard

FRAME = bytes(range(256)) * 1024  # 256 KiB
STATE: dict[str, object] = {"sent": 0, "calls": 0, "connects": 0, "ended": []}


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def answer(send, body: bytes, status: int = 200, more_body: bool = False) -> None:
    headers = [(b"content-type", b"application/json")]
    if not more_body:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": more_body})


async def http(scope, receive, send) -> None:
    path = scope["path"]
    if path == "/state":
        await answer(send, json.dumps({**STATE, "rss": rss_bytes()}).encode())
        return
    STATE["calls"] += 1
    if path.startswith("/download/"):
        count = int(path.rsplit("/", 1)[1])
        STATE["sent"] = 0
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for _ in range(count):
                await send({"type": "http.response.body", "body": FRAME, "more_body": True})
                STATE["sent"] += len(FRAME)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            STATE["ended"].append(path)
        return
    if path == "/break":
        await answer(send, b"half of it", more_body=True)
        raise RuntimeError("the application fails in the middle of a response")
    digest, pieces, size = hashlib.sha256(), 0, 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message.get("body", b""))
        size += len(message.get("body", b""))
        pieces += 1
        if not message.get("more_body", False):
            break
    await answer(send, json.dumps({"size": size, "pieces": pieces, "sha256": digest.hexdigest()}).encode())


async def websocket(scope, receive, send) -> None:
    path = scope["path"]
    assert (await receive())["type"] == "websocket.connect"
    STATE["connects"] += 1
    if path == "/slow-accept":
        await asyncio.sleep(2)
    await send({"type": "websocket.accept"})
    if path.startswith("/send/"):
        count, code = (int(part) for part in path.split("/")[2:4])
        STATE["sent"] = 0
        try:
            for _ in range(count):
                await send({"type": "websocket.send", "bytes": FRAME})
                STATE["sent"] += len(FRAME)
            if code:
                await send({"type": "websocket.close", "code": code, "reason": "that is all"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            STATE["ended"].append(path)
    elif path == "/stuck":
        release = asyncio.Event()
        RELEASES.append(release)
        await release.wait()
        taken = 0
        while (message := await receive())["type"] == "websocket.receive":
            taken += len(message.get("bytes") or b"")
            if "text" in message:
                await send({"type": "websocket.send", "text": str(taken)})
    elif path == "/return":
        return
    else:  # echo the length
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": str(len(message.get("bytes") or message.get("text") or ""))})


RELEASES: list[asyncio.Event] = []


async def stock(scope, receive, send) -> None:
    """Serve everything above without a guard."""
    if scope["type"] == "http":
        if scope["path"] == "/release":
            for release in RELEASES:
                release.set()
            await answer(send, b"{}")
            return
        await http(scope, receive, send)
    elif scope["type"] == "websocket":
        await websocket(scope, receive, send)


application = guard(stock) if os.environ.get("GUARDED", "1") == "1" else stock
