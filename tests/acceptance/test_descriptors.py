"""Descriptors: what a request or a viewer opens is closed when it has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.server import Server, running_server

HASTY_VIEWERS = 300
REQUESTS_AT_ONCE = 20
WAIT_SECONDS = 10


@pytest.fixture
def own_server(data_dir: Path) -> Iterator[Server]:
    """A server whose descriptors are those of this test."""
    with running_server(data_dir) as server:
        yield server


def open_files(server: Server, ending: str) -> int:
    """How many descriptors of the server are open on files whose names end so."""
    found = 0
    for descriptor in Path(f"/proc/{server.pid}/fd").iterdir():
        try:
            found += descriptor.readlink().name.endswith(ending)
        except FileNotFoundError:  # closed just now
            continue
    return found


def test_a_requests_database_connection_ends_with_the_request(own_server: Server) -> None:
    async def ask() -> None:
        async with httpx.AsyncClient(base_url=own_server.url, timeout=60) as client:
            answers = await asyncio.gather(*[client.get("/api/v1/projects") for _ in range(REQUESTS_AT_ONCE)])
            assert {answer.status_code for answer in answers} == {200}

    before = open_files(own_server, "buildlogs.sqlite3")
    for _ in range(5):
        asyncio.run(ask())
    assert open_files(own_server, "buildlogs.sqlite3") <= before + 1
