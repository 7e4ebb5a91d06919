"""Deleting and redacting what is being read and watched, on a real server: who reads is told, and nothing breaks."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import independent_reader
from tests.acceptance.client import Viewer, Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.watched_noun import watching

SECRET = b"hunter2-is-the-password"
TOLD_SECONDS = 3.0
"""Whoever watches what is deleted is told within a second; a machine that is busy may take longer."""

LINES = 20_000
SECRET_LINE = 500
"""Among the first errors, which are kept in the database with their texts."""

TEXT = b"".join(
    b"error: line %06d says %s\n" % (number, SECRET if number == SECRET_LINE else b"nothing of any importance")
    for number in range(1, LINES + 1)
)
WAIT_SECONDS = 20
SEARCHERS = 3


@pytest.fixture
def admin(server: Server) -> Writer:
    return Writer(server.url, server.token("--scopes", "read,write,admin"))


def finished_log(writer: Writer, text: bytes = TEXT) -> dict[str, Any]:
    log = writer.new_log()
    for place in range(0, len(text), 1_000_000):
        assert writer.chunks(log["id"], entry(0, text[place : place + 1_000_000])).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    writer.post(f"/builds/{log['build']}/finish", {"results": "failure"})
    return log


async def paused_viewer(server: Server, admin: Writer, log: dict[str, Any]) -> Viewer:
    """A viewer that has taken a window of the log, and acknowledges nothing."""
    token = admin.http.headers["Authorization"].removeprefix("Bearer ")
    viewer = await Viewer(server.websocket_url, log["id"], window=65536, token=token).open()
    while len(viewer.data) < 65536:
        await asyncio.wait_for(viewer.step(), WAIT_SECONDS)
    return viewer


@pytest.mark.parametrize("noun", ["logs", "builds"])
async def test_who_watches_what_is_deleted_is_told_4410(server: Server, admin: Writer, noun: str) -> None:
    log = finished_log(admin)
    viewer = await paused_viewer(server, admin, log)
    number = log["id"] if noun == "logs" else log["build"]
    assert (await asyncio.to_thread(admin.http.delete, f"/{noun}/{number}")).status_code == 204
    await asyncio.wait_for(viewer.drain(), WAIT_SECONDS)
    assert viewer.messages[-1]["status"] == viewer.close_code == 4410


async def test_who_has_read_all_and_not_said_so_is_told_4410_as_well(server: Server, admin: Writer) -> None:
    log = finished_log(admin, b"short\n")
    token = admin.http.headers["Authorization"].removeprefix("Bearer ")
    viewer = await Viewer(server.websocket_url, log["id"], token=token).open()
    while not (viewer.messages and viewer.messages[-1]["type"] == "logFinished"):
        await asyncio.wait_for(viewer.step(), WAIT_SECONDS)
    assert (await asyncio.to_thread(admin.http.delete, f"/logs/{log['id']}")).status_code == 204
    while (message := await asyncio.wait_for(viewer.step(), WAIT_SECONDS)) is None or message["type"] != "error":
        pass
    assert message["status"] == 4410


async def test_who_watches_the_build_of_a_deleted_log_is_told_without_it(server: Server, admin: Writer) -> None:
    log = finished_log(admin, b"short\n")
    token = admin.http.headers["Authorization"].removeprefix("Bearer ")
    async with watching(server.websocket_url, f"/ws/builds/{log['build']}/", token) as viewer:
        assert [each["id"] for each in (await viewer.next())["steps"][0]["logs"]] == [log["id"]]
        assert (await asyncio.to_thread(admin.http.delete, f"/logs/{log['id']}")).status_code == 204
        told = await viewer.until(lambda message: message["type"] == "snapshot")
        assert told["steps"][0]["logs"] == []


async def test_who_watches_what_is_redacted_is_told_to_reload_and_gets_stars(server: Server, admin: Writer) -> None:
    log = finished_log(admin)
    viewer = await paused_viewer(server, admin, log)
    body = {"start": SECRET_LINE, "end": SECRET_LINE, "reason": "a password"}
    assert (await asyncio.to_thread(admin.http.post, f"/logs/{log['id']}/redact", json=body)).status_code == 200
    await asyncio.wait_for(viewer.drain(), WAIT_SECONDS)
    assert (viewer.messages[-1]["type"], viewer.close_code) == ("reload", 1012)
    again = await asyncio.wait_for(
        Viewer(server.websocket_url, log["id"], token=viewer.token, window=1_048_576).watch(), WAIT_SECONDS
    )
    assert again.close_code == 1000
    assert len(again.data) == len(TEXT)
    assert SECRET not in again.data
    assert again.messages[-1]["sha256"] is None


def test_a_redacted_secret_is_nowhere_below_the_data_directory(server: Server, admin: Writer) -> None:
    log = finished_log(admin)
    marks = f"/logs/{log['id']}/marks"
    while not admin.http.get(marks).json()["complete"]:
        pass
    before = admin.http.get(f"/logs/{log['id']}/raw")
    assert SECRET.decode() in before.text
    assert admin.http.get(f"/logs/{log['id']}/search", params={"q": "is-the-pass"}).json()["total"] == 1
    found_by = holders(server.data_dir)
    body = {"start": SECRET_LINE - 1, "end": SECRET_LINE + 1, "reason": "a password"}
    answer = admin.http.post(f"/logs/{log['id']}/redact", json=body)
    assert answer.status_code == 200, answer.text
    assert any("sqlite3" in name for name in found_by), "errors are kept with their texts"
    assert holders(server.data_dir) == set(), f"before it was in {found_by}"
    cached = {"If-None-Match": before.headers["ETag"]}
    after = admin.http.get(f"/logs/{log['id']}/raw", headers=cached)
    assert (after.status_code, after.headers["Cache-Control"]) == (200, "no-cache")
    assert SECRET.decode() not in after.text
    assert admin.http.get(f"/logs/{log['id']}/search", params={"q": "is-the-pass"}).json()["total"] == 0
    lines = admin.http.get(f"/logs/{log['id']}/lines", params={"start": SECRET_LINE - 2, "count": 5}).json()["lines"]
    assert ["*" in line["runs"][0][1] for line in lines] == [False, True, True, True, False]
    while not (found := admin.http.get(marks).json())["complete"]:
        pass
    assert all(error["n"] not in range(SECRET_LINE - 1, SECRET_LINE + 2) for error in found["errors"])
    assert SECRET.decode() not in str(found)
    summary = admin.http.get(f"/builds/{log['build']}/summary").text
    assert SECRET.decode() not in summary


def holders(directory: Path) -> set[str]:
    """The files below a data directory that hold the secret, what is sealed decoded."""
    found = set()
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.name.endswith(".zst"):
                data = independent_reader.unsealed(data)
            if SECRET in data:
                found.add(path.name)
    return found


@pytest.mark.bad_input("a log that is deleted or redacted while it is read")
def test_deleting_and_redacting_what_is_being_read_breaks_no_reader(server: Server, admin: Writer) -> None:
    log = finished_log(admin)
    path = f"/logs/{log['id']}"
    with (
        admin.http.stream("GET", f"{path}/raw") as raw,
        admin.http.stream("GET", f"/builds/{log['build']}/logs.zip") as archive,
    ):
        pieces, packed = raw.iter_raw(4096), archive.iter_raw(4096)
        begun = next(pieces)
        next(packed)
        for number in range(1, 6):
            admin.http.post(f"{path}/redact", json={"start": number, "end": number, "reason": "r"})
            assert admin.http.get(f"{path}/search", params={"q": "line 00000"}).status_code == 200
        assert admin.http.delete(path).status_code == 204
        assert len(begun) + sum(map(len, pieces)) == len(TEXT)
        for _piece in packed:
            pass
    for door in ("", "/raw", "/lines", "/marks", "/chunks", "/search?q=a", "/progressiveText"):
        assert admin.http.get(f"{path}{door}").status_code == 404
    assert "Traceback" not in server.log_path.read_text()


@pytest.mark.bad_input("a line that is redacted while it is searched")
def test_each_search_of_a_line_that_is_being_redacted_gives_it_as_it_was_or_as_it_is(
    server: Server, admin: Writer
) -> None:
    log = finished_log(admin)
    secret = SECRET.decode()
    redacted, stopped = threading.Event(), threading.Event()
    before, after = threading.Semaphore(0), threading.Semaphore(0)

    def search(_: int) -> set[str]:
        kinds = set()
        with httpx.Client(base_url=admin.http.base_url, headers=admin.http.headers, timeout=30) as client:
            while not stopped.is_set():
                is_redacted = redacted.is_set()
                answer = client.get(f"/logs/{log['id']}/search", params={"q": secret, "channels": "stdout"})
                assert answer.status_code == 200, answer.text
                hits = answer.json()["hits"]
                for hit in hits:
                    assert hit["n"] == SECRET_LINE
                    shown = [hit["text"][start:stop] for start, stop in hit["spans"]]
                    assert (set(hit["text"]), shown) == ({"*"}, []) or shown == [secret], hit
                assert not is_redacted or secret not in answer.text.replace("\\", "")
                kinds.add("before" if secret in str(hits) else "after")
                (before if secret in str(hits) else after).release()
        return kinds

    with ThreadPoolExecutor(SEARCHERS) as pool:
        searches = [pool.submit(search, number) for number in range(SEARCHERS)]
        try:
            for _ in range(SEARCHERS):
                assert before.acquire(timeout=WAIT_SECONDS)
            body = {"start": SECRET_LINE, "end": SECRET_LINE, "reason": "a password"}
            assert admin.http.post(f"/logs/{log['id']}/redact", json=body).status_code == 200
            redacted.set()
            for _ in range(2 * SEARCHERS):
                assert after.acquire(timeout=WAIT_SECONDS)
        finally:
            stopped.set()
        kinds = set().union(*(search.result() for search in searches))
    assert kinds == {"before", "after"}
    assert admin.http.get(f"/logs/{log['id']}/search", params={"q": secret}).json()["total"] == 0


def test_following_a_log_that_is_deleted_under_a_slow_reader_breaks_off(server: Server, admin: Writer) -> None:
    log = admin.new_log()
    text = TEXT * 20
    # else the kernel's buffer may grow until it holds all of the text, and the reader be none that is slow
    small = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)])
    reader = httpx.Client(base_url=admin.http.base_url, headers=admin.http.headers, transport=small)
    with reader, reader.stream("GET", f"/logs/{log['id']}/raw?follow=1") as raw:
        pieces = raw.iter_raw(4096)
        for place in range(0, len(text), 1_000_000):
            assert admin.chunks(log["id"], entry(0, text[place : place + 1_000_000])).status_code == 200
        next(pieces)
        admin.finish(log["id"])
        assert admin.http.delete(f"/logs/{log['id']}").status_code == 204
        time.sleep(TOLD_SECONDS)  # a fast one may have all of it before it is told
        with pytest.raises(httpx.RemoteProtocolError):
            sum(map(len, pieces))
