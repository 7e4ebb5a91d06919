"""Two server processes on one data directory, with PostgreSQL and Redis, while announcements get lost.

Announcements only hurry viewers: half of them may be lost, others come twice or late, and nobody misses a byte.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.client import Viewer, Writer
from tests.acceptance.processes import two_processes
from tests.acceptance.server import Server
from tests.acceptance.watched_log import write_while_watched

FAULTS = {"BUILDLOGS_TEST_DROP": "0.5", "BUILDLOGS_TEST_DOUBLE": "0.2", "BUILDLOGS_TEST_DELAY": "0.2"}
VIEWERS = 20

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.parametrize("two_servers", ["daphne", pytest.param("uvicorn", marks=pytest.mark.slow)], indirect=True),
]


@pytest.fixture
def two_servers(
    request: pytest.FixtureRequest, data_dir: Path, postgres_url: str, redis_url: str
) -> Iterator[tuple[Server, Server]]:
    environment = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, **FAULTS}
    application = "tests.acceptance.lossy:application"
    with two_processes(data_dir, environment, kind=request.param, application=application) as servers:
        yield servers[0], servers[1]


class MovingWriter(Writer):
    """A writer whose bodies go to one process after the other."""

    def __init__(self, servers: tuple[Server, ...], token: str) -> None:
        super().__init__(servers[0].url, token)
        self._writers = cycle([Writer(server.url, token) for server in servers])

    def chunks(self, log_id: int, body: bytes, offset: int | None = None, skip: int | None = None) -> httpx.Response:
        return next(self._writers).chunks(log_id, body, offset, skip)

    def finish(self, log_id: int, **values: Any) -> httpx.Response:
        return next(self._writers).finish(log_id, **values)


def test_viewers_on_both_processes_miss_nothing_of_a_log_that_moves_between_them(
    two_servers: tuple[Server, Server], data_dir: Path
) -> None:
    token = two_servers[0].token()
    writer = MovingWriter(two_servers, token)
    log = writer.new_log()
    viewers = [Viewer(two_servers[number % 2].websocket_url, log["id"], token=token) for number in range(VIEWERS)]
    written = write_while_watched(writer, log["id"], viewers, random.Random(2))
    for server in two_servers:
        assert Writer(server.url, token).http.get(f"/logs/{log['id']}/raw").content == written
    counts = [json.loads(file.read_text()) for file in data_dir.glob("group-sends-*.json")]
    assert len(counts) == 2, "both processes announced"
    totals = {name: sum(count[name] for count in counts) for name in ("sent", "dropped", "doubled")}
    print(f"group_send calls: {totals}")
    assert all(totals.values())
