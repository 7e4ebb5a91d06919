"""The application with announcements that get lost, doubled or late: `daphne tests.acceptance.lossy:application`.

BUILDLOGS_TEST_DROP, BUILDLOGS_TEST_DOUBLE and BUILDLOGS_TEST_DELAY are the shares of `group_send` calls to which that
happens. Every call is counted in the file `group-sends-PID.json` in the data directory, so that a test can print and
check how many were lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from pathlib import Path
from typing import Any

from channels_redis.pubsub import RedisPubSubLoopLayer

from buildlogs.asgi import application  # noqa: F401  # what the server serves

LONGEST_DELAY_SECONDS = 3.0
SHARES = {name: float(os.environ.get(f"BUILDLOGS_TEST_{name.upper()}", "0")) for name in ("drop", "double", "delay")}
COUNTS = {"sent": 0, "dropped": 0, "doubled": 0, "delayed": 0}
FILE = Path(os.environ["BUILDLOGS_DATA_DIR"]) / f"group-sends-{os.getpid()}.json"

_group_send = RedisPubSubLoopLayer.group_send
_choose = random.Random(os.getpid())
_late: set[asyncio.Task[None]] = set()


async def lossy_group_send(layer: Any, group: str, message: dict[str, Any]) -> None:
    """Send, or lose, the announcement; or send it twice, or later."""
    fate = _choose.random()
    if fate < SHARES["drop"]:
        _count("dropped")
        return
    fate -= SHARES["drop"]
    if fate < SHARES["delay"]:
        _count("delayed")
        task = asyncio.get_running_loop().create_task(_send_late(layer, group, message))
        _late.add(task)
        task.add_done_callback(_late.discard)
        return
    _count("sent")
    await _group_send(layer, group, message)
    if fate - SHARES["delay"] < SHARES["double"]:
        _count("doubled")
        await _group_send(layer, group, message)


async def _send_late(layer: Any, group: str, message: dict[str, Any]) -> None:
    await asyncio.sleep(_choose.random() * LONGEST_DELAY_SECONDS)
    await _group_send(layer, group, message)


def _count(name: str) -> None:
    COUNTS[name] += 1
    FILE.write_text(json.dumps(COUNTS))


RedisPubSubLoopLayer.group_send = lossy_group_send
