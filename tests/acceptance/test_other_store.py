"""A server whose sealed logs lie in S3: read as before while the store is there, said in words while it is away."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import SEALS_NOTHING, Server, running_server
from tests.object_store import ObjectStore

TEXT = b"".join(b"line %07d of a build that prints a lot\n" % number for number in range(100_000))  # 4.6 MB
BODY_BYTES = 900_000
WAIT_SECONDS = 60
WORDS = "This log lies in another store, which does not answer at the moment. Nothing is lost"


@pytest.fixture
def server(data_dir: Path, object_store: ObjectStore) -> Iterator[Server]:
    environment = {**object_store.variables(), **SEALS_NOTHING}
    with running_server(data_dir, environment=environment) as running:
        yield running


@pytest.fixture
def token(server: Server) -> str:
    return server.token()


@pytest.fixture
def writer(server: Server, token: str) -> Writer:
    return Writer(server.url, token)


@pytest.fixture
def archived(server: Server, writer: Writer, object_store: ObjectStore) -> dict[str, Any]:
    """A finished log of two channels that has moved to the other store; nothing of it is here."""
    log = writer.new_log()
    for number, place in enumerate(range(0, len(TEXT), BODY_BYTES)):
        body = entry(number % 2, TEXT[place : place + BODY_BYTES])
        assert writer.chunks(log["id"], body, place).status_code == 200
    assert writer.finish(log["id"], received=len(TEXT)).status_code == 200
    move_logs(server)
    assert any(name.endswith(f"-{log['id']}.log.zst") for name in object_store.names())
    assert files_here(server, log) == []
    return log


def files_here(server: Server, log: dict[str, Any]) -> list[str]:
    """The names of a log's files in the data directory, from which directories may vanish meanwhile."""
    names = [name for _directory, _directories, files in os.walk(server.data_dir / "logs") for name in files]
    return [name for name in names if f"-{log['id']}." in name]


def move_logs(server: Server) -> str:
    """Seal and move all finished logs; returns what the command printed."""
    return server.manage("upkeep")


def raw(writer: Writer, log: dict[str, Any], **headers: str) -> httpx.Response:
    return writer.http.get(f"/logs/{log['id']}/raw", headers=headers)


def until(condition: Callable[[], bool]) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)


async def watch(server: Server, token: str, log: dict[str, Any]) -> Viewer:
    async with asyncio.timeout(WAIT_SECONDS):
        return await Viewer(server.websocket_url, log["id"], token=token).watch()


def test_a_log_that_moved_reads_as_before(server: Server, writer: Writer, token: str, archived: dict[str, Any]) -> None:
    whole = raw(writer, archived)
    assert whole.status_code == 200
    assert whole.content == TEXT
    part = raw(writer, archived, Range="bytes=2000000-2000099")
    assert part.status_code == 206
    assert part.content == TEXT[2_000_000:2_000_100]
    viewer = asyncio.run(watch(server, token, archived))
    assert bytes(viewer.data) == TEXT
    assert viewer.close_code == 1000
    lines = writer.http.get(f"/logs/{archived['id']}/lines", params={"start": 50_001, "count": 2}).json()
    assert [line["runs"][0][1] for line in lines["lines"]] == [
        f"line {number:07d} of a build that prints a lot" for number in (50_000, 50_001)
    ]


def test_what_a_writer_sends_again_is_known(writer: Writer, archived: dict[str, Any]) -> None:
    assert writer.chunks(archived["id"], entry(0, TEXT[:1000]), 0).status_code == 200
    assert writer.chunks(archived["id"], entry(0, b"more"), len(TEXT)).json()["type"] == "finished"
    assert writer.finish(archived["id"], received=len(TEXT)).status_code == 200


def test_while_the_store_is_away_it_is_said_and_when_it_is_back_all_is_there(
    server: Server, writer: Writer, token: str, object_store: ObjectStore, archived: dict[str, Any]
) -> None:
    here = writer.new_log("here")
    assert writer.chunks(here["id"], entry(0, b"still written\n"), 0).status_code == 200
    object_store.proxy.go()

    answer = raw(writer, archived)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["type"] == "store-away"
    assert answer.json()["detail"].startswith(WORDS)
    assert "s3" not in answer.text

    viewer = asyncio.run(watch(server, token, archived))
    assert viewer.close_code == 1013
    assert viewer.messages[-1]["type"] == "error"
    assert viewer.messages[-1]["status"] == 1013
    assert viewer.messages[-1]["detail"].startswith(WORDS)

    page = httpx.get(f"{server.url}{archived['url']}", headers=writer.http.headers, timeout=30)
    assert page.status_code in (200, 404)  # a token opens no private page
    assert writer.http.get(f"/logs/{archived['id']}").json()["size"] == len(TEXT)

    # Everything else goes on.
    assert writer.chunks(here["id"], entry(0, b"and read\n"), 14).status_code == 200
    assert raw(writer, here).content == b"still written\nand read\n"
    assert writer.finish(here["id"], received=23).status_code == 200
    with pytest.raises(AssertionError, match="other store is away"):
        move_logs(server)
    assert raw(writer, here).content == b"still written\nand read\n"
    assert any(name.endswith(".log.zst") for name in files_here(server, here))

    object_store.proxy.come()
    until(lambda: raw(writer, archived).status_code == 200)
    assert raw(writer, archived).content == TEXT
    viewer = asyncio.run(watch(server, token, archived))
    assert (bytes(viewer.data), viewer.close_code) == (TEXT, 1000)
    move_logs(server)
    assert files_here(server, here) == []
    assert raw(writer, here).content == b"still written\nand read\n"


async def test_a_store_that_hangs_holds_up_no_other_viewer(
    server: Server, writer: Writer, token: str, object_store: ObjectStore, archived: dict[str, Any]
) -> None:
    here = await asyncio.to_thread(writer.new_log, "here")
    object_store.proxy.hold()
    order: list[str] = []

    async def watch_archived() -> None:
        await watch(server, token, archived)
        order.append("archived")

    hanging = [asyncio.ensure_future(watch_archived()) for _ in range(12)]
    assert await asyncio.to_thread(object_store.proxy.held.wait, WAIT_SECONDS)
    viewer = await Viewer(server.websocket_url, here["id"], token=token).open()
    for number in range(5):
        body = entry(0, b"line %d\n" % number)
        answer = await asyncio.to_thread(writer.chunks, here["id"], body, number * 7)
        assert answer.status_code == 200
        async with asyncio.timeout(WAIT_SECONDS):
            while not viewer.data.endswith(b"line %d\n" % number):
                await viewer.step()
        order.append(f"line {number}")
    order.append("released")
    object_store.proxy.release()
    await asyncio.gather(*hanging)
    await viewer.stop()
    assert order == [*(f"line {number}" for number in range(5)), "released", *["archived"] * 12]


def test_a_server_moves_finished_logs_by_itself(data_dir: Path, object_store: ObjectStore) -> None:
    with running_server(data_dir, environment=object_store.variables()) as server:
        writer = Writer(server.url, server.token())
        log = writer.new_log()
        assert writer.chunks(log["id"], entry(0, b"all of it\n"), 0).status_code == 200
        assert writer.finish(log["id"], received=10).status_code == 200
        until(lambda: files_here(server, log) == [])
        assert raw(writer, log).content == b"all of it\n"


def test_a_directory_on_another_disk_serves_as_well(data_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other disk"
    other.mkdir()
    environment = {"BUILDLOGS_LOG_STORE": other.as_uri(), **SEALS_NOTHING}
    with running_server(data_dir, environment=environment) as server:
        writer = Writer(server.url, server.token())
        log = writer.new_log()
        assert writer.chunks(log["id"], entry(0, b"all of it\n"), 0).status_code == 200
        assert writer.finish(log["id"], received=10).status_code == 200
        assert "1 logs moved" in move_logs(server)
        assert len(list(other.glob(f"**/*-{log['id']}.idx"))) == 1
        assert raw(writer, log).content == b"all of it\n"
        other.rename(tmp_path / "unmounted")
        assert raw(writer, log).json()["type"] == "store-away"
        (tmp_path / "unmounted").rename(other)
        until(lambda: raw(writer, log).status_code == 200)


@pytest.mark.bad_input("another store that cannot be one")
def test_a_server_does_not_start_with_a_store_that_cannot_be_one(data_dir: Path) -> None:
    server = Server(data_dir, environment={"BUILDLOGS_LOG_STORE": "s3://key:secret@bucket"})
    with pytest.raises(AssertionError, match="BUILDLOGS_LOG_STORE: takes neither credentials") as said:
        server.manage("migrate")
    assert "secret" not in str(said.value)
