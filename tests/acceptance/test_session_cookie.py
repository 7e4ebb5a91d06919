"""A session cookie that holds what PostgreSQL refuses to be asked for, at every kind of door."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.acceptance.client import Writer
from tests.acceptance.server import running_server

NUL = r'sessionid="\000aaaaaaaa"'
"""As Django and Channels read cookies, octal digits stand for a byte."""


@pytest.mark.postgres
@pytest.mark.bad_input("a session cookie with NUL in it")
def test_nul_in_the_cookie_is_no_session(data_dir: Path, postgres_url: str) -> None:
    with running_server(data_dir, environment={"DATABASE_URL": postgres_url}) as server:
        log = Writer(server.url, server.token()).new_log()
        with httpx.Client(base_url=server.url, timeout=30) as http:
            for path, status in [
                ("/", 200),
                ("/admin/", 302),
                ("/api/v1/projects", 200),
                (f"/api/v1/logs/{log['id']}", 404),
                (f"/api/v1/logs/{log['id']}/raw", 404),
            ]:
                without, answer = http.get(path), http.get(path, headers={"Cookie": NUL})
                assert (answer.status_code, without.status_code) == (status, status), path
                assert answer.headers["Content-Type"] == without.headers["Content-Type"], path
        said = {"Cookie": NUL, "Origin": server.url}
        with connect(f"{server.websocket_url}/ws/logs/{log['id']}/", additional_headers=said) as socket:
            assert json.loads(socket.recv(10))["status"] == 4404
