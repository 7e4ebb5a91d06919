"""The nginx configuration of docs/deployment.md, as it stands there, before two real processes."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.processes import two_processes
from tests.acceptance.server import ROOT, Server, free_port
from tests.acceptance.test_shutdown import follow

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
DOCUMENT = ROOT / "docs" / "deployment.md"
START_SECONDS = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.skipif(not Path(NGINX).exists(), reason="nginx is not installed: apt-get install nginx-light"),
]


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
def site(servers: list[Server], tmp_path: Path) -> Iterator[Server]:
    """nginx before the servers; a Server only in that it has an address."""
    front = Server(servers[0].data_dir, port=free_port())
    (block,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for written, real in (("8001", servers[0].port), ("8002", servers[1].port)):
        assert f"127.0.0.1:{written}" in block
        block = block.replace(f"127.0.0.1:{written}", f"127.0.0.1:{real}")
    block = block.replace("listen 80;", f"listen 127.0.0.1:{front.port};")
    configuration = tmp_path / "nginx.conf"
    paths = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration.write_text(
        f"daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; worker_processes 1;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ access_log off;\n{paths}{block}}}\n"
    )
    process = subprocess.Popen([NGINX, "-c", str(configuration), "-p", str(tmp_path), "-e", f"{tmp_path}/error.log"])
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"{front.url}/healthz", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert process.poll() is None, (tmp_path / "error.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield front
    finally:
        process.terminate()
        process.wait(10)


async def test_writers_viewers_and_followers_pass_through_it_and_a_restart_behind_it(
    site: Server, servers: list[Server]
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
