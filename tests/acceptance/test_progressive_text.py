"""GET /logs/{id}/progressiveText: what scripts written for Jenkins expect."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))


def get(writer: Writer, log: dict[str, Any], method: str = "GET", **params: Any) -> httpx.Response:
    return writer.http.request(method, f"/logs/{log['id']}/progressiveText", params=params)


def test_a_script_that_asks_until_there_is_no_more_gets_the_whole_text(writer: Writer) -> None:
    log = writer.new_log()
    found, start = b"", 0
    for first in range(0, len(TEXT), 300_000):
        assert writer.chunks(log["id"], entry(0, TEXT[first : first + 300_000]), first).status_code == 200
        answer = get(writer, log, start=start)
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-more-data"] == "true"
        found, start = found + answer.content, int(answer.headers["x-text-size"])
    nothing = get(writer, log, start=start)
    assert (nothing.content, nothing.headers["x-text-size"]) == (b"", str(start))
    assert nothing.headers["x-more-data"] == "true"
    assert writer.finish(log["id"]).status_code == 200
    last = get(writer, log, start=start)
    assert "x-more-data" not in last.headers
    assert found + last.content == TEXT
    assert int(last.headers["x-text-size"]) == len(TEXT)


def test_a_start_beyond_the_end_is_0_as_in_jenkins(writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, b"replaced\n"), 0).status_code == 200
    assert get(writer, log, start=9).content == b""
    assert get(writer, log, start=10).content == b"replaced\n"
    assert get(writer, log, start=2**62).headers["x-text-size"] == "9"


def test_head_has_the_headers_without_the_text(writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, b"text\n"), 0).status_code == 200
    answer = get(writer, log, "HEAD", start=1)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer.headers["x-text-size"], answer.headers["content-length"]) == ("5", "4")


@pytest.mark.bad_input("a start, count or offset that makes no sense")
@pytest.mark.parametrize(
    ("name", "value"), [("start", "-1"), ("start", "x"), ("start", ""), ("start", "9" * 30), ("from", "3")]
)
def test_parameters_that_make_no_sense_are_400(writer: Writer, name: str, value: str) -> None:
    answer = get(writer, writer.new_log(), **{name: value})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


def test_a_private_log_is_404_to_others(server: Server, writer: Writer) -> None:
    answer = httpx.get(f"{server.url}/api/v1/logs/{writer.new_log()['id']}/progressiveText")
    assert answer.status_code == 404
