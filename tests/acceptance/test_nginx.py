"""deploy/nginx.conf before two real processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.nginx import Front, running_nginx
from tests.acceptance.processes import two_processes
from tests.acceptance.server import Server
from tests.acceptance.test_shutdown import follow

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def servers(data_dir: Path, postgres_url: str, redis_url: str) -> Iterator[list[Server]]:
    environment = {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "BUILDLOGS_TRUSTED_PROXIES": "127.0.0.1",
        "BUILDLOGS_ALLOWED_HOSTS": "logs.example.org,127.0.0.1",
    }
    with two_processes(data_dir, environment) as started:
        yield started


@pytest.fixture
def site(servers: list[Server], tmp_path: Path, nginx: str) -> Iterator[Front]:
    """nginx before the servers."""
    ports = [server.port for server in servers]
    with running_nginx(nginx, tmp_path / "nginx", ports, servers[0].data_dir / "logs") as front:
        yield front


async def test_writers_viewers_and_followers_pass_through_it_and_a_restart_behind_it(
    site: Front, servers: list[Server]
) -> None:
    token = servers[0].token("--scopes", "read,write")
    writer = Writer(site.url, token)
    log = writer.new_log()
    viewers = [await Viewer(site.websocket_url, log["id"], token=token).open() for _ in range(4)]
    watching = [asyncio.ensure_future(viewer.drain()) for viewer in viewers]
    pieces: list[bytes] = []
    following = asyncio.ensure_future(asyncio.to_thread(follow, site, token, log["id"], pieces))
    text = b""

    async def write(bodies: int) -> None:
        nonlocal text
        for _ in range(bodies):
            data = b"%d\n" % len(text) + b"x" * 40_000 + b"\n"
            answer = await asyncio.to_thread(writer.chunks, log["id"], entry(0, data), len(text))
            assert answer.status_code == 200, (answer.status_code, answer.text[:300])
            text += data

    await write(20)
    await until(lambda: all(len(viewer.data) == len(text) for viewer in viewers) and b"".join(pieces) == text)
    # One of them goes; uploads find the other one, viewers are told and come again.
    await asyncio.to_thread(servers[0].stop)
    await until(lambda: any(task.done() for task in watching))
    await write(20)
    await asyncio.to_thread(servers[0].start)
    await write(5)
    assert (await asyncio.to_thread(writer.finish, log["id"], received=len(text))).status_code == 200
    told = [await task for task in watching]
    assert {viewer.close_code for viewer in told} <= {1000, 1001}
    for viewer in told:
        again = await Viewer(site.websocket_url, log["id"], start=str(viewer.offset), token=token).watch()
        assert (bytes(viewer.data + again.data), again.close_code) == (text, 1000)
    await following
    assert text.startswith(b"".join(pieces))
    refused = httpx.post(
        f"{site.url}/api/v1/logs/{log['id']}/chunks", content=b"x" * 1_200_000, headers={"Content-Type": "text/plain"}
    )
    assert (refused.status_code, refused.json()["type"]) == (413, "too-large")


async def until(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "what was waited for never came"
        await asyncio.sleep(0.02)
