"""A log that is written while viewers come to it at random moments: what several tests do on different servers."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence

from tests.acceptance.client import Viewer, Writer, entry

BODIES = 150


def write_while_watched(
    writer: Writer,
    log_id: int,
    viewers: Sequence[Viewer],
    choose: random.Random,
    *,
    bodies: int = BODIES,
    joining_seconds: float = 2.0,
) -> bytes:
    """Write and finish the log while the viewers join; every one of them must get every byte, then 1000.

    Returns what was written.
    """

    async def scenario() -> bytes:
        watching = [asyncio.ensure_future(_join_later(viewer, choose.random() * joining_seconds)) for viewer in viewers]
        written = await _write_randomly(writer, log_id, choose, bodies)
        digest = hashlib.sha256(written).hexdigest()
        finished = await asyncio.to_thread(writer.finish, log_id, received=len(written), sha256=digest)
        assert finished.json()["completeness"] == "verified"
        await asyncio.gather(*watching)
        return written

    written = asyncio.run(scenario())
    for viewer in viewers:
        assert (len(viewer.data), viewer.close_code) == (len(written), 1000), viewer.messages
        assert bytes(viewer.data) == written
    return written


async def _write_randomly(writer: Writer, log_id: int, choose: random.Random, bodies: int) -> bytes:
    """Write two alternating channels in random sizes; returns all that was written."""
    written = bytearray()
    for number in range(bodies):
        size = choose.choice([1, 7, 100, 3000, 60_000])
        pieces = [choose.randbytes(choose.randrange(1, size + 1)) for _ in range(choose.randrange(1, 5))]
        body = b"".join(entry((number + place) % 2, piece) for place, piece in enumerate(pieces))
        answer = await asyncio.to_thread(writer.chunks, log_id, body, len(written))
        assert answer.status_code == 200, answer.text
        written += b"".join(pieces)
        await asyncio.sleep(choose.random() * 0.02)
    return bytes(written)


async def _join_later(viewer: Viewer, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await viewer.watch()
