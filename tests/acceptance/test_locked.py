"""Somebody holds a lock: a log's, or the whole database's. Nobody else waits for it."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.acceptance.client import CHUNKS_TYPE, Writer, entry
from tests.acceptance.server import Server

LOCK_WAIT_SECONDS = 5.0
WAITERS = 20


@contextmanager
def locked_log(server: Server, log_id: int) -> Iterator[None]:
    """The log's lock, held by this process."""
    (index,) = server.data_dir.glob(f"logs/**/*-{log_id}.idx")
    with index.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_database(server: Server) -> Iterator[None]:
    """SQLite's one lock for writing, held by this process."""
    connection = sqlite3.connect(server.data_dir / "buildlogs.sqlite3", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


async def test_a_log_that_is_locked_is_refused_in_time_and_holds_up_no_other(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    log, other = writer.new_log(), writer.new_log()
    headers = {**writer.http.headers, "Content-Type": CHUNKS_TYPE}
    async with httpx.AsyncClient(base_url=writer.http.base_url, headers=headers, timeout=30) as client:

        def post(log_id: int) -> asyncio.Future[httpx.Response]:
            return asyncio.ensure_future(client.post(f"/logs/{log_id}/chunks", content=entry(0, b"x")))

        with locked_log(own_server, log["id"]):
            began = time.monotonic()
            waiting = [post(log["id"]) for _ in range(WAITERS)]
            assert (await post(other["id"])).status_code == 200
            assert (await client.get(f"/logs/{other['id']}/raw")).content == b"x"
            assert not any(answer.done() for answer in waiting)
            answers = await asyncio.gather(*waiting)
            assert time.monotonic() - began >= LOCK_WAIT_SECONDS
        assert {answer.status_code for answer in answers} == {409}
        assert {answer.json()["type"] for answer in answers} == {"locked"}
        assert (await post(log["id"])).json() == {"received": 1}


def test_a_locked_database_keeps_no_output_waiting(own_server: Server) -> None:
    token = own_server.token()
    writer = Writer(own_server.url, token)
    log = writer.new_log()
    fresh = Writer(own_server.url, own_server.token())  # its first use is to be noted
    fresh.http.timeout = httpx.Timeout(LOCK_WAIT_SECONDS)
    with locked_database(own_server):
        offset = 0
        for _ in range(20):
            answer = fresh.chunks(log["id"], entry(0, b"line\n" * 1000), offset)
            assert answer.status_code == 200
            offset = answer.json()["received"]
        assert len(fresh.http.get(f"/logs/{log['id']}/raw").content) == offset
    assert writer.finish(log["id"], received=offset).status_code == 200
