"""The server dies in the middle of a build: the agent and the viewers go on, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
from websockets.exceptions import WebSocketException

from tests.acceptance.client import Viewer, Writer
from tests.acceptance.server import ROOT, Server

LINES = 6000
KILLS = 3
PRINTING = f"""
import hashlib, sys, time
digest = hashlib.sha256()
for number in range({LINES}):
    line = b"%06d " % number + b"x" * (number % 90) + b"\\n"
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    digest.update(line)
    time.sleep(0.001)
sys.stderr.write("printed sha256 " + digest.hexdigest() + "\\n")
"""


def start_agent(server: Server, token: str, directory: Path) -> subprocess.Popen[bytes]:
    """The real agent, running a command that prints for some seconds."""
    environment = {
        **os.environ,
        "BUILDLOGS_SERVER": server.url,
        "BUILDLOGS_TOKEN": token,
        "BUILDLOGS_SPOOL": str(directory / "spool"),
        "PYTHONPATH": str(ROOT / "agent"),
    }
    command = [sys.executable, "-m", "buildlogs_agent", "run", "--project", "demo", "--builder", "crash", "--"]
    with (directory / "printed").open("wb") as printed, (directory / "complaints").open("wb") as complaints:
        return subprocess.Popen(
            [*command, sys.executable, "-c", PRINTING], env=environment, stdout=printed, stderr=complaints
        )


async def wait_for_log(writer: Writer) -> int:
    """The id of the first log, as soon as there is one."""
    async with asyncio.timeout(30):
        while True:
            answer = await asyncio.to_thread(writer.http.get, "/logs/1")
            if answer.status_code == 200:
                return 1
            await asyncio.sleep(0.05)


async def watch_stubbornly(server: Server, log_id: int, token: str) -> Viewer:
    """A viewer that reconnects from its last offset until the log is finished."""
    whole = Viewer(server.websocket_url, log_id, token=token)
    while True:
        part = Viewer(server.websocket_url, log_id, start=str(len(whole.data)), token=token)
        try:
            await part.watch()
        except (OSError, WebSocketException):
            await asyncio.sleep(0.1)
        whole.data += part.data
        whole.messages += part.messages
        if part.close_code == 1000:
            return whole


async def kill_and_restart(server: Server, writer: Writer, log_id: int) -> None:
    """kill -9 when the log has grown by a good piece; start again on the same directory and port."""
    start = (await asyncio.to_thread(writer.http.get, f"/logs/{log_id}")).json()["received"]
    async with asyncio.timeout(30):
        while (await asyncio.to_thread(writer.http.get, f"/logs/{log_id}")).json()["received"] < start + 20_000:
            await asyncio.sleep(0.02)
    server.kill()
    await asyncio.sleep(0.3)
    await asyncio.to_thread(server.start)


async def test_a_server_killed_three_times_loses_and_doubles_nothing(data_dir: Path) -> None:
    server = Server(data_dir)
    server.migrate()
    server.start()
    try:
        token = server.token()
        writer = Writer(server.url, token)
        agent = await asyncio.to_thread(start_agent, server, token, data_dir)
        log_id = await wait_for_log(writer)
        viewers = [asyncio.ensure_future(watch_stubbornly(server, log_id, token)) for _ in range(3)]
        for _ in range(KILLS):
            await kill_and_restart(server, Writer(server.url, token), log_id)
        await asyncio.to_thread(agent.wait, 90)
        printed, complaints = ((data_dir / name).read_bytes() for name in ("printed", "complaints"))
        assert agent.returncode == 0, complaints.decode()
        async with asyncio.timeout(30):
            watched = await asyncio.gather(*viewers)
        check(server, writer, log_id, printed, complaints, watched)
    finally:
        server.stop()


def check(
    server: Server, writer: Writer, log_id: int, printed: bytes, complaints: bytes, watched: list[Viewer]
) -> None:
    said = re.search(rb"printed sha256 ([0-9a-f]{64})", complaints)
    assert said is not None
    assert hashlib.sha256(printed).hexdigest().encode() == said[1], "the agent passed something else on"
    client = httpx.Client(base_url=writer.http.base_url, headers=writer.http.headers)
    stdout = client.get(f"/logs/{log_id}/raw", params={"channels": "stdout"}).content
    assert hashlib.sha256(stdout).hexdigest().encode() == said[1]
    whole = client.get(f"/logs/{log_id}/raw").content
    for viewer in watched:
        assert bytes(viewer.data) == whole
    log = client.get(f"/logs/{log_id}").json()
    assert (log["state"], log["completeness"]) == ("finished", "verified")
    assert log["sha256"] == hashlib.sha256(whole).hexdigest()
