"""Many viewers of a log that is being written: every one of them gets every byte, once, in order."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import Any

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.watched_log import write_while_watched

VIEWERS = 20


def test_twenty_viewers_that_join_at_random_moments_receive_the_same_bytes(
    server: Server, writer: Writer, token: str
) -> None:
    choose = random.Random(20)
    log = writer.new_log()

    windows = [None, 65_536, 262_144, 0]
    viewers = [
        Viewer(server.websocket_url, log["id"], window=windows[number % 4], token=token) for number in range(VIEWERS)
    ]
    written = write_while_watched(writer, log["id"], viewers, choose)
    digest = hashlib.sha256(written).hexdigest()
    for viewer in viewers:
        last: dict[str, Any] = viewer.messages[-1]
        assert last["type"] == "logFinished"
        assert (last["state"], last["size"], last["sha256"]) == ("finished", len(written), digest)
    raw = writer.http.get(f"/logs/{log['id']}/raw")
    assert raw.content == written


def test_a_viewer_can_start_anywhere_and_gets_the_rest(server: Server, writer: Writer, token: str) -> None:
    log = writer.new_log()
    text = b"".join(b"line %d\n" % number for number in range(1000))
    assert writer.chunks(log["id"], entry(0, text), 0).status_code == 200
    assert writer.finish(log["id"]).status_code == 200

    async def watch(start: str) -> Viewer:
        return await Viewer(server.websocket_url, log["id"], start=start, token=token).watch()

    for offset in (1, 12, len(text) - 1, len(text)):
        viewer = asyncio.run(watch(str(offset)))
        assert bytes(viewer.data) == text[offset:]
        assert viewer.messages[0]["line"] == text[:offset].count(b"\n") + 1
    for lines in (0, 1, 10, 5000):
        viewer = asyncio.run(watch(f"tail:{lines}"))
        assert bytes(viewer.data) == b"".join(text.splitlines(keepends=True)[-lines:] if lines else [])
