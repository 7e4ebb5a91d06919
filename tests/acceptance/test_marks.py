"""GET /logs/{id}/marks: the longest silences of a log."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server

SECOND_US = 1_000_000


def get(writer: Writer, log: dict[str, Any], method: str = "GET", **params: Any) -> httpx.Response:
    return writer.http.request(method, f"/logs/{log['id']}/marks", params=params)


def log_with_silences(writer: Writer, seconds: list[int]) -> dict[str, Any]:
    """A log of a line at 0 s, and one after each silence."""
    log, at = writer.new_log(), 0
    assert writer.chunks(log["id"], entry("t", b"0") + entry(0, b"first\n")).status_code == 200
    for silence in seconds:
        at += silence
        body = entry("t", str(at * SECOND_US).encode()) + entry(0, b"after %d s\n" % silence)
        assert writer.chunks(log["id"], body).status_code == 200
    return log


def test_the_longest_silences_are_told_with_the_lines_that_end_them(writer: Writer) -> None:
    log = log_with_silences(writer, [300, 0, 90])
    expected = {
        "errors": [],
        "folds": [],
        "gaps": [{"n": 2, "seconds": 300.0}, {"n": 4, "seconds": 90.0}],
        "counts": {"errors": 0, "warnings": 0, "folds": 0, "gaps": 2},
    }
    assert get(writer, log).json() == {**expected, "complete": False}
    assert writer.finish(log["id"]).status_code == 200
    answer = get(writer, log)
    assert answer.headers["content-type"] == "application/json"
    assert {**answer.json(), "complete": True} == {**expected, "complete": True}  # as soon as it was looked through


def test_a_log_without_any_has_none(writer: Writer) -> None:
    nothing = {"errors": [], "folds": [], "gaps": [], "counts": {"errors": 0, "warnings": 0, "folds": 0, "gaps": 0}}
    assert get(writer, writer.new_log()).json() == {**nothing, "complete": False}


def test_head_has_the_headers_without_the_marks(writer: Writer) -> None:
    log = log_with_silences(writer, [100])
    head = get(writer, log, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(get(writer, log).content))


@pytest.mark.parametrize("name", ["start", "limit"])
def test_it_takes_no_parameters(writer: Writer, name: str) -> None:
    answer = get(writer, writer.new_log(), **{name: "1"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


def test_a_private_log_is_404_to_others(server: Server, writer: Writer) -> None:
    assert httpx.get(f"{server.url}/api/v1/logs/{writer.new_log()['id']}/marks").status_code == 404
