"""The application with announcements that get lost: `daphne tests.acceptance.lossy:application`.

BUILDLOGS_TEST_DROP is the share of `group_send` calls that are dropped. Every call is counted in the file
`group-sends-PID.json` in the data directory, so that a test can print and check how many were lost.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

from channels_redis.pubsub import RedisPubSubLoopLayer

from buildlogs.asgi import application  # noqa: F401  # what the server serves

SHARE = float(os.environ["BUILDLOGS_TEST_DROP"])
COUNTS = {"sent": 0, "dropped": 0}
FILE = Path(os.environ["BUILDLOGS_DATA_DIR"]) / f"group-sends-{os.getpid()}.json"

_group_send = RedisPubSubLoopLayer.group_send
_choose = random.Random(os.getpid())


async def lossy_group_send(layer: Any, group: str, message: dict[str, Any]) -> None:
    """Send, or lose, the announcement."""
    dropped = _choose.random() < SHARE
    COUNTS["dropped" if dropped else "sent"] += 1
    FILE.write_text(json.dumps(COUNTS))
    if not dropped:
        await _group_send(layer, group, message)


RedisPubSubLoopLayer.group_send = lossy_group_send
