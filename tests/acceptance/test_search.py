"""GET /logs/{id}/search: over a real server, as a viewer asks."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server

TEXT = "compile ok\r\n\x1b[31mERROR\x1b[0m: 😀 no\n".encode()


def search(writer: Writer, log: dict[str, Any], **params: Any) -> httpx.Response:
    return writer.http.get(f"/logs/{log['id']}/search", params=params)


def write(writer: Writer, log: dict[str, Any], pieces: list[bytes]) -> None:
    offset = 0
    for piece in pieces:
        assert writer.chunks(log["id"], entry(0, piece), offset).status_code == 200
        offset += len(piece)


@pytest.fixture
def log(writer: Writer) -> dict[str, Any]:
    """An open log: two lines on stdout, one on stderr."""
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, TEXT) + entry(1, b"error 2\n"), 0).status_code == 200
    return log


def test_hits_come_with_text_and_spans_of_open_and_finished_logs(writer: Writer, log: dict[str, Any]) -> None:
    hits = [
        {"n": 2, "spans": [[0, 5]], "text": "ERROR: 😀 no"},
        {"n": 3, "spans": [[0, 5]], "text": "error 2"},
    ]
    for _ in ("open", "finished", "remembered"):
        answer = search(writer, log, q="error")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"total": 2, "exact": True, "hits": hits, "next": None}
        writer.finish(log["id"])
    assert search(writer, log, q="error", case=1).json()["total"] == 1
    assert search(writer, log, q=r"^e.* \d$", regex=1).json()["hits"] == [{**hits[1], "spans": [[0, 7]]}]
    assert search(writer, log, q="no|ok$", regex=1).json()["total"] == 2
    assert search(writer, log, q="😀 n").json()["hits"][0]["spans"] == [[7, 11]]
    assert search(writer, log, q="error", channels="stderr").json()["hits"] == [hits[1]]


def test_pages_follow_one_another(writer: Writer) -> None:
    log = writer.new_log()
    write(writer, log, [b"hit\nno\n" * 25])
    first = search(writer, log, q="hit", limit=20).json()
    second = search(writer, log, q="hit", limit=20, start=first["next"]).json()
    assert (first["total"], second["total"], second["next"]) == (25, 25, None)
    assert [hit["n"] for hit in first["hits"] + second["hits"]] == list(range(1, 51, 2))


def test_a_cut_line_says_its_length(writer: Writer) -> None:
    log = writer.new_log()
    write(writer, log, [b"x" + b"-" * 30_000 + b"\n"])
    (hit,) = search(writer, log, q="x").json()["hits"]
    assert (hit["bytes"], len(hit["text"]), hit["spans"]) == (30_001, 20_000, [[0, 1]])


@pytest.mark.bad_input("an invalid search pattern")
@pytest.mark.parametrize(
    ("pattern", "words"), [("(", "missing ): ("), ("a**", "bad repetition operator: **"), ("(?=a)", "invalid perl")]
)
def test_a_pattern_that_is_refused_is_a_problem_with_re2s_words(
    writer: Writer, log: dict[str, Any], pattern: str, words: str
) -> None:
    answer = search(writer, log, q=pattern, regex=1)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]["q"][0].startswith(words)


@pytest.mark.bad_input("a search text that is empty, too long or holds a line feed")
@pytest.mark.parametrize("text", ["", "a" * 1001, "a\nb"])
def test_a_text_that_cannot_be_searched_for_is_refused(writer: Writer, log: dict[str, Any], text: str) -> None:
    answer = search(writer, log, q=text)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["q"]


@pytest.mark.bad_input("a search page out of bounds")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", "-1"),
        ("start", "x"),
        ("start", str(2**63)),
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "9" * 400),
        ("regex", "yes"),
        ("case", "2"),
        ("channels", "stdin"),
        ("page", "1"),
    ],
)
def test_a_parameter_that_is_none_is_refused_by_name(
    writer: Writer, log: dict[str, Any], name: str, value: str
) -> None:
    answer = search(writer, log, q="a", **{name: value})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [name]


def test_without_a_text_there_is_no_search(writer: Writer, log: dict[str, Any]) -> None:
    assert list(search(writer, log).json()["errors"]) == ["q"]


def test_a_private_log_does_not_exist_for_strangers(writer: Writer, log: dict[str, Any]) -> None:
    assert httpx.get(f"{writer.http.base_url}logs/{log['id']}/search?q=a").status_code == 404


def test_when_the_clients_go_their_searches_end_and_others_get_their_turn(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    slow, quick = writer.new_log("slow"), writer.new_log("quick")
    write(writer, slow, [bytes(random.Random(7).choices(b"ab", k=1_000_000)) for _ in range(12)])  # minutes of work
    write(writer, quick, [b"needle\n"])
    for _ in range(8):
        with pytest.raises(httpx.ReadTimeout):
            writer.http.get(f"/logs/{slow['id']}/search", params={"q": "[ab]*a[ab]{200}c", "regex": 1}, timeout=0.3)
    assert search(writer, quick, q="needle").json()["total"] == 1  # within the client's 30 s: 8 searches take 80
