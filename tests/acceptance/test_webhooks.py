"""Webhooks over real servers: several of them tell a receiver once each, and kill -9 loses nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from tests.acceptance.client import Writer
from tests.acceptance.processes import two_processes
from tests.acceptance.server import DATABASE_NAME, Server
from tests.receiver import Receiver, running_receiver

BUILDS = 10
HANG_SECONDS = 20


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def finish_builds(servers: list[Server], token: str, count: int) -> None:
    """Each with one log, on one server after the other."""
    writers = [Writer(server.url, token) for server in servers]
    for writer, _ in zip(cycle(writers), range(count), strict=False):
        log = writer.new_log()
        assert writer.finish(log["id"]).status_code == 200
        writer.post(f"/builds/{log['build']}/finish", {"results": "success"})


def test_two_processes_tell_once_each_and_a_kill_loses_nothing(data_dir: Path, receiver: Receiver) -> None:
    environment = {"BUILDLOGS_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with two_processes(data_dir, environment) as servers:
        token = servers[0].token("--scopes", "write,read,admin")
        finish_builds(servers[:1], token, 1)  # the project is made, and nobody to be told
        made = httpx.post(
            f"{servers[0].url}/api/v1/projects/demo/webhooks",
            json={"url": receiver.url, "events": ["buildFinished", "logFinished"]},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert made.status_code == 201, made.text

        finish_builds(servers, token, BUILDS)
        receiver.wait_for(2 * BUILDS)
        wait_until_all_is_over(data_dir)
        assert set(receiver.names().values()) == {1}
        assert len(receiver.names()) == 2 * BUILDS

        # Now the receiver hangs, and both are killed: some deliveries are on their way, most have not begun.
        let_go = threading.Event()

        def hang(_handler: BaseHTTPRequestHandler) -> None:
            let_go.wait(HANG_SECONDS)

        receiver.answer = hang
        finish_builds(servers, token, BUILDS)
        receiver.wait_for(2 * BUILDS + 1)
        for server in servers:
            server.kill()
        receiver.answer = None
        let_go.set()
        end_leases(data_dir)
        servers[0].start()
        wait_until_all_is_over(data_dir)
        assert len(receiver.names()) == 4 * BUILDS
        builds = {request.json["build"]["id"] for request in receiver.requests}
        assert builds == set(range(2, 2 * BUILDS + 2))


def end_leases(data_dir: Path) -> None:
    """As a minute and a half does, for which a test has no time."""
    with sqlite3.connect(data_dir / DATABASE_NAME) as database:
        database.execute("UPDATE logviewer_delivery SET next_try_at = created_at WHERE state = 'waiting'")
    database.close()


def wait_until_all_is_over(data_dir: Path) -> None:
    database = sqlite3.connect(data_dir / DATABASE_NAME)
    pause = threading.Event()
    try:
        for _ in range(400):
            (waiting,) = database.execute("SELECT count(*) FROM logviewer_delivery WHERE state = 'waiting'").fetchone()
            if not waiting:
                return
            pause.wait(0.05)
    finally:
        database.close()
    raise AssertionError(f"{waiting} deliveries are still waiting")
