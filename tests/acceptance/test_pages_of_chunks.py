"""GET /logs/{id}/chunks: pages of a log that may be sent in again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from logviewer.chunkstore import Entry, parse_chunk_stream
from tests.acceptance.client import CHUNKS_TYPE, Writer, entry
from tests.acceptance.server import Server

PAGE_BYTES = 1_048_576
MAX_BODY_BYTES = PAGE_BYTES + 65_536
SECOND_US = 1_000_000


@pytest.fixture(scope="module")
def finished(server: Server, token: str) -> dict[str, Any]:
    """A finished log of 3,000 short entries on all channels, 0.1 s and 1 µs apart."""
    writer = Writer(server.url, token)
    log = writer.new_log()
    pieces = [
        entry("t", str(SECOND_US + number * 100_001).encode()) + entry(number % 3, b"entry %d\n" % number)
        for number in range(3_000)
    ]
    assert writer.chunks(log["id"], b"".join(pieces), 0).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    return log


def get(writer: Writer, log: dict[str, Any], method: str = "GET", **params: Any) -> httpx.Response:
    return writer.http.request(method, f"/logs/{log['id']}/chunks", params=params)


def pages(writer: Writer, log: dict[str, Any], **params: Any) -> Iterator[bytes]:
    """All pages of a finished log."""
    offset: str | None = "0"
    while offset is not None:
        answer = get(writer, log, offset=offset, **params)
        assert answer.status_code == 200, answer.text
        yield answer.content
        offset = answer.headers.get("next-offset")


def said(entries: list[Entry]) -> list[tuple[int, int | None, int]]:
    """Who said each byte and when: (byte, its time, its channel)."""
    return [(byte, part.time_us, part.channel) for part in entries for byte in part.data]


def test_one_page_holds_a_small_log_with_its_channels_and_times(writer: Writer, finished: dict[str, Any]) -> None:
    answer = get(writer, finished)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == CHUNKS_TYPE
    assert answer.headers["content-length"] == str(len(answer.content))
    assert "next-offset" not in answer.headers
    assert parse_chunk_stream(answer.content) == [
        Entry(number % 3, b"entry %d\n" % number, SECOND_US + number * 100_001) for number in range(3_000)
    ]


@pytest.mark.parametrize("limit", [1_000, 4_096, 20_000])
def test_pages_follow_each_other_and_hold_no_more_text_than_asked_for(
    writer: Writer, finished: dict[str, Any], limit: int
) -> None:
    found: list[Entry] = []
    for page in pages(writer, finished, limit=limit):
        entries = parse_chunk_stream(page)
        assert 0 < sum(len(part.data) for part in entries) <= limit
        found += entries
    assert said(found) == said(parse_chunk_stream(get(writer, finished).content))


def test_a_page_of_one_byte(writer: Writer, finished: dict[str, Any]) -> None:
    answer = get(writer, finished, offset=3, limit=1)
    assert parse_chunk_stream(answer.content) == [Entry(0, b"r", SECOND_US)]
    assert answer.headers["next-offset"] == "4"


def test_pages_sent_in_again_give_the_same_log(writer: Writer, finished: dict[str, Any]) -> None:
    copy = writer.new_log()
    received = 0
    for page in pages(writer, finished, limit=10_000):
        answer = writer.chunks(copy["id"], page, received)
        assert answer.status_code == 200, answer.text
        received = answer.json()["received"]
    assert writer.finish(copy["id"]).status_code == 200
    assert said(parse_chunk_stream(get(writer, copy).content)) == said(
        parse_chunk_stream(get(writer, finished).content)
    )


def test_without_times_a_page_is_a_log_file_of_buildbot_0_8(writer: Writer) -> None:
    log = writer.new_log()
    body = entry("t", b"1") + entry(0, b"a") + entry("t", b"2000000") + entry(0, b"b\n") + entry(1, b"c\n")
    assert writer.chunks(log["id"], body, 0).status_code == 200
    assert get(writer, log, times=0).content == b"4:0ab\n,3:1c\n,"
    assert get(writer, log, times=1).content == b"2:t1,2:0a,8:t2000000,3:0b\n,3:1c\n,"


def test_a_page_is_never_longer_than_a_body_may_be(writer: Writer) -> None:
    log = writer.new_log()
    each = [entry("t", str(time_us).encode()) + entry(time_us % 2, b"x") for time_us in range(10**15, 10**15 + 70_000)]
    for first in range(0, len(each), 10_000):
        assert writer.chunks(log["id"], b"".join(each[first : first + 10_000]), first).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    found = list(pages(writer, log))
    assert len(found) > 1
    assert max(map(len, found)) <= MAX_BODY_BYTES
    assert sum(len(part.data) for page in found for part in parse_chunk_stream(page)) == 70_000
    assert writer.chunks(writer.new_log()["id"], found[0], 0).status_code == 200


def test_the_largest_page_may_be_sent_in_again(writer: Writer) -> None:
    log, copy = writer.new_log(), writer.new_log()
    assert writer.chunks(log["id"], entry(0, b"\n" * PAGE_BYTES), 0).status_code == 200
    page = get(writer, log)
    assert page.headers["next-offset"] == str(PAGE_BYTES)
    assert writer.chunks(copy["id"], page.content, 0).json() == {"received": PAGE_BYTES}


def test_at_the_present_end_of_an_open_log_one_asks_again(writer: Writer) -> None:
    log = writer.new_log()
    empty = get(writer, log)
    assert (empty.content, empty.headers["next-offset"]) == (b"", "0")
    assert writer.chunks(log["id"], entry(0, b"first\n"), 0).status_code == 200
    assert get(writer, log).headers["next-offset"] == "6"
    waiting = get(writer, log, offset=6)
    assert (waiting.content, waiting.headers["next-offset"]) == (b"", "6")
    assert writer.chunks(log["id"], entry(1, b"second\n"), 6).status_code == 200
    assert parse_chunk_stream(get(writer, log, offset=6).content)[0].data == b"second\n"
    assert writer.finish(log["id"]).status_code == 200
    assert "next-offset" not in get(writer, log, offset=6).headers
    end = get(writer, log, offset=13)
    assert (end.status_code, end.content, end.headers.get("next-offset")) == (200, b"", None)


def test_head_has_the_headers_without_the_page(writer: Writer, finished: dict[str, Any]) -> None:
    whole, head = get(writer, finished, limit=100), get(writer, finished, "HEAD", limit=100)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "next-offset", "content-type"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.bad_input("a start, count or offset that makes no sense")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("offset", "-1"),
        ("offset", "x"),
        ("offset", ""),
        ("offset", "1.5"),
        ("offset", "٣"),
        ("offset", "9" * 18),
        ("offset", "9" * 30),
        ("limit", "0"),
        ("limit", "-5"),
        ("limit", str(PAGE_BYTES + 1)),
        ("limit", "many"),
        ("times", "2"),
        ("colour", "red"),
    ],
)
def test_parameters_that_make_no_sense_are_400(writer: Writer, finished: dict[str, Any], name: str, value: str) -> None:
    answer = get(writer, finished, **{name: value})
    assert answer.status_code == 400
    assert answer.json()["type"] == "invalid"
    assert list(answer.json()["errors"]) == [name]


def test_an_offset_beyond_the_end_is_told_the_size(writer: Writer, finished: dict[str, Any]) -> None:
    size = writer.http.get(f"/logs/{finished['id']}").json()["size"]
    assert get(writer, finished, offset=size).status_code == 200
    answer = get(writer, finished, offset=size + 1)
    assert answer.status_code == 400
    assert str(size) in answer.json()["errors"]["offset"][0]


def test_a_parameter_given_twice_is_400(writer: Writer, finished: dict[str, Any]) -> None:
    answer = writer.http.get(f"/logs/{finished['id']}/chunks?offset=1&offset=2")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["offset"])


def test_a_private_log_is_404_to_others(server: Server, finished: dict[str, Any]) -> None:
    answer = httpx.get(f"{server.url}/api/v1/logs/{finished['id']}/chunks")
    assert answer.status_code == 404
    assert answer.json()["type"] == "not-found"
