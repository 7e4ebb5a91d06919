"""Two Daphne processes on one data directory, with PostgreSQL and Redis, while announcements get lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.client import Viewer, Writer
from tests.acceptance.server import Server
from tests.acceptance.watched_log import write_while_watched

DROPPED_SHARE = 0.3
VIEWERS = 20

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def two_servers(data_dir: Path, postgres_url: str, redis_url: str) -> Iterator[tuple[Server, Server]]:
    environment = {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "BUILDLOGS_TEST_DROP": str(DROPPED_SHARE),
    }
    servers = [
        Server(data_dir, environment=environment, application="tests.acceptance.lossy:application") for _ in range(2)
    ]
    servers[0].migrate()
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield servers[0], servers[1]


def test_viewers_on_both_processes_miss_nothing_while_announcements_get_lost(
    two_servers: tuple[Server, Server], data_dir: Path
) -> None:
    token = two_servers[0].token()
    writer = Writer(two_servers[0].url, token)
    log = writer.new_log()
    viewers = [Viewer(two_servers[number % 2].websocket_url, log["id"], token=token) for number in range(VIEWERS)]
    write_while_watched(writer, log["id"], viewers, random.Random(2))
    counts = [json.loads(file.read_text()) for file in data_dir.glob("group-sends-*.json")]
    sent, dropped = (sum(count[name] for count in counts) for name in ("sent", "dropped"))
    print(f"group_send calls: {sent} sent, {dropped} dropped")
    assert dropped > 0
    assert sent > 0


def test_one_log_may_be_written_through_either_process(two_servers: tuple[Server, Server]) -> None:
    token = two_servers[0].token()
    writers = [Writer(server.url, token) for server in two_servers]
    log = writers[0].new_log()
    expected = b""
    for number in range(40):
        piece = b"%d from process %d\n" % (number, number % 2)
        answer = writers[number % 2].chunks(log["id"], b"%d:0%s," % (len(piece) + 1, piece), len(expected))
        assert answer.status_code == 200, answer.text
        expected += piece
    for writer in writers:
        assert writer.http.get(f"/logs/{log['id']}/raw").content == expected
        assert writer.http.get(f"/logs/{log['id']}").json()["lines"] == 40
