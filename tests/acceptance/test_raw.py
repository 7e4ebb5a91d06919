"""GET /logs/{id}/raw: whole, in ranges, filtered, conditional, followed."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))


@pytest.fixture(scope="module")
def finished(server: Server, token: str) -> dict[str, Any]:
    """A finished log of several pieces, and its raw address."""
    writer = Writer(server.url, token)
    log = writer.new_log("std io")
    assert writer.chunks(log["id"], entry(0, TEXT), 0).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    return log


def get(writer: Writer, log: dict[str, Any], method: str = "GET", **options: Any) -> httpx.Response:
    headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
    return writer.http.request(method, f"/logs/{log['id']}/raw", headers=headers, **options)


def test_a_finished_log_has_length_etag_and_ranges(writer: Writer, finished: dict[str, Any]) -> None:
    answer = get(writer, finished)
    assert answer.content == TEXT
    assert answer.headers["content-length"] == str(len(TEXT))
    assert answer.headers["etag"] == f'"{hashlib.sha256(TEXT).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["vary"] == "Accept-Encoding, Authorization, Cookie"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_has_the_headers_without_the_text(writer: Writer, finished: dict[str, Any]) -> None:
    answer = get(writer, finished, "HEAD")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(TEXT))
    assert answer.content == b""


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=300000-", 300_000, len(TEXT)),
        ("bytes=-5", len(TEXT) - 5, len(TEXT)),
        ("bytes=5-99999999", 5, len(TEXT)),
        ("bytes=-99999999", 0, len(TEXT)),
    ],
)
def test_a_range_is_206_with_those_bytes(
    writer: Writer, finished: dict[str, Any], wanted: str, start: int, stop: int
) -> None:
    answer = get(writer, finished, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == TEXT[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(TEXT)}"


@pytest.mark.parametrize("wanted", [f"bytes={len(TEXT)}-", "bytes=-0", f"bytes={10**30}-"])
def test_a_range_outside_is_416(writer: Writer, finished: dict[str, Any], wanted: str) -> None:
    answer = get(writer, finished, headers={"Range": wanted})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(TEXT)}"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("wanted", ["bytes=5-2", "lines=1-2", "bytes=a-b", "bytes=0-1,3-4", "bytes=-"])
def test_a_range_that_cannot_be_read_is_ignored(writer: Writer, finished: dict[str, Any], wanted: str) -> None:
    assert get(writer, finished, headers={"Range": wanted}).status_code == 200


def test_conditions_are_compared_with_the_etag(writer: Writer, finished: dict[str, Any]) -> None:
    etag = get(writer, finished, "HEAD").headers["etag"]
    known = get(writer, finished, headers={"If-None-Match": f'"x", W/{etag}'})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == etag
    assert get(writer, finished, headers={"If-None-Match": '"x"'}).status_code == 200
    assert get(writer, finished, headers={"Range": "bytes=0-0", "If-Range": etag}).status_code == 206
    assert get(writer, finished, headers={"Range": "bytes=0-0", "If-Range": '"old"'}).status_code == 200


def test_channels_are_filtered(writer: Writer) -> None:
    log = writer.new_log()
    pieces = [(0, b"out\n"), (1, b"err\n"), (2, b"header\n"), (0, b"out again\n")]
    assert writer.chunks(log["id"], b"".join(entry(*piece) for piece in pieces)).status_code == 200
    for _ in range(2):
        assert get(writer, log, params={"channels": "stdout,stderr"}).content == b"out\nerr\nout again\n"
        assert get(writer, log, params={"channels": "header"}).content == b"header\n"
        assert get(writer, log).content == b"out\nerr\nheader\nout again\n"
        writer.finish(log["id"])
    assert "etag" not in get(writer, log, params={"channels": "header"}).headers


def test_an_open_log_has_neither_etag_nor_ranges(writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, b"so far\n")).status_code == 200
    answer = get(writer, log, headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (200, b"so far\n")
    assert "etag" not in answer.headers
    assert "accept-ranges" not in answer.headers


def test_download_names_the_file(writer: Writer, finished: dict[str, Any]) -> None:
    disposition = get(writer, finished, "HEAD", params={"download": "1"}).headers["content-disposition"]
    number = writer.http.get(f"/builds/{finished['build']}").json()["number"]
    assert disposition == f'attachment; filename="demo-linux-{number}-compile-std-io.log"'


@pytest.mark.parametrize(
    "params", [{"channels": "stdin"}, {"channels": ""}, {"follow": "yes"}, {"download": "2"}, {"lines": "2"}]
)
def test_parameters_that_make_no_sense_are_400(
    writer: Writer, finished: dict[str, Any], params: dict[str, str]
) -> None:
    answer = get(writer, finished, params=params)
    assert answer.status_code == 400
    assert answer.json()["type"] == "invalid"


def test_a_private_log_is_404_to_others(server: Server, finished: dict[str, Any]) -> None:
    answer = httpx.get(f"{server.url}/api/v1/logs/{finished['id']}/raw")
    assert answer.status_code == 404
    assert answer.json()["type"] == "not-found"


async def test_follow_sends_what_comes_until_the_finish(server: Server, writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, b"first\n")).status_code == 200
    async with (
        httpx.AsyncClient(headers=writer.http.headers, timeout=10) as client,
        client.stream("GET", f"{server.url}/api/v1/logs/{log['id']}/raw?follow=1&channels=stdout") as answer,
    ):
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"first\n"
        await asyncio.to_thread(writer.chunks, log["id"], entry(1, b"not this\n") + entry(0, b"second\n"))
        assert await anext(pieces) == b"second\n"
        await asyncio.to_thread(writer.finish, log["id"])
        assert [piece async for piece in pieces] == []
