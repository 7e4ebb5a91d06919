"""GET /logs/{id}/lines, and raw?from-line=&to-line=: windows of lines from anywhere."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server

COUNT = 20_000
LINES = [b"line %d\n" % number for number in range(1, COUNT + 1)]
MAX_ANSWER_BYTES = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def finished(server: Server, token: str) -> dict[str, Any]:
    """A finished log of COUNT lines, every tenth one on stderr, a second apart from hundred to hundred."""
    writer = Writer(server.url, token)
    log = writer.new_log()
    pieces = []
    for number, line in enumerate(LINES, start=1):
        if number % 100 == 1:
            pieces.append(entry("t", str((number // 100 + 1) * 1_000_000).encode()))
        pieces.append(entry(int(number % 10 == 0), line))
    assert writer.chunks(log["id"], b"".join(pieces), 0).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    return log


def get(writer: Writer, log: dict[str, Any], method: str = "GET", **params: Any) -> httpx.Response:
    return writer.http.request(method, f"/logs/{log['id']}/lines", params=params)


def raw(writer: Writer, log: dict[str, Any], **params: Any) -> httpx.Response:
    return writer.http.get(f"/logs/{log['id']}/raw", params=params)


def window(writer: Writer, log: dict[str, Any], **params: Any) -> dict[str, Any]:
    answer = get(writer, log, **params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def numbers(window: dict[str, Any]) -> list[int]:
    return [line["n"] for line in window["lines"]]


def test_a_window_has_the_contracts_shape(writer: Writer, finished: dict[str, Any]) -> None:
    found = window(writer, finished, start=10_110, count=2)
    assert found == {
        "start": 10_110,
        "total": COUNT,
        "complete": True,
        "sgr": "",
        "lines": [
            {"n": 10_110, "t": 102_000, "runs": [[1, "line 10110"]]},
            {"n": 10_111, "t": 102_000, "runs": [[0, "line 10111"]]},
        ],
    }


def test_without_wishes_it_is_the_first_500(writer: Writer, finished: dict[str, Any]) -> None:
    assert numbers(window(writer, finished)) == list(range(1, 501))


@pytest.mark.parametrize(
    ("start", "count", "first", "last"),
    [
        (-1, 1, COUNT, COUNT),
        (-10, 500, COUNT - 9, COUNT),
        (-COUNT, 2, 1, 2),
        (-10 * COUNT, 2, 1, 2),
        (COUNT, 500, COUNT, COUNT),
        (1, 5000, 1, 5000),
        (COUNT // 2, 5000, COUNT // 2, COUNT // 2 + 4999),
    ],
)
def test_a_window_starts_anywhere_and_negative_ones_from_the_end(
    writer: Writer, finished: dict[str, Any], start: int, count: int, first: int, last: int
) -> None:
    found = window(writer, finished, start=start, count=count)
    assert found["start"] == first
    assert numbers(found) == list(range(first, last + 1))
    assert found["lines"][0]["runs"][0][1] == f"line {first}"


@pytest.mark.parametrize("start", [COUNT + 1, 2**62])
def test_a_start_beyond_the_end_is_an_empty_window(writer: Writer, finished: dict[str, Any], start: int) -> None:
    found = window(writer, finished, start=start)
    assert (found["lines"], found["total"], found["complete"]) == ([], COUNT, True)


def test_with_channels_start_and_total_count_the_lines_that_have_any(writer: Writer, finished: dict[str, Any]) -> None:
    found = window(writer, finished, channels="stderr", start=100, count=2)
    assert (found["start"], found["total"]) == (100, COUNT // 10)
    assert numbers(found) == [1000, 1010]
    assert found["lines"][0]["runs"] == [[1, "line 1000"]]
    assert numbers(window(writer, finished, channels="stderr", start=-1)) == [COUNT]
    assert window(writer, finished, channels="header")["total"] == 0


def test_an_open_log_is_not_complete_and_a_line_may_grow(writer: Writer) -> None:
    log = writer.new_log()
    assert window(writer, log) == {"start": 1, "total": 0, "complete": False, "sgr": "", "lines": []}
    assert writer.chunks(log["id"], entry(0, b"\x1b[1;31mred\nstill r"), 0).status_code == 200
    found = window(writer, log, start=2)
    assert (found["sgr"], found["total"], found["lines"][0]["runs"]) == ("1;31", 2, [[0, "still r"]])
    assert writer.chunks(log["id"], entry(1, b"ed\n")).status_code == 200
    assert window(writer, log, start=2)["lines"][0]["runs"] == [[0, "still r"], [1, "ed"]]


def test_a_long_line_is_cut_and_says_how_long_it_is(writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, b"x" * 50_000 + b"\nshort\n"), 0).status_code == 200
    long, short = window(writer, log)["lines"]
    assert long["bytes"] == 50_000
    assert 0 < len(long["runs"][0][1]) <= 20_000
    assert "bytes" not in short


@pytest.mark.parametrize("byte", [b"x", b"\x01", b"\xff"])
def test_an_answer_stays_below_4_mib_whatever_has_to_be_escaped(writer: Writer, byte: bytes) -> None:
    log = writer.new_log()
    line = byte * 15_000 + b"\n"
    for first in range(0, 400, 50):
        assert writer.chunks(log["id"], entry(0, line * 50), first * len(line)).status_code == 200
    answer = get(writer, log, count=5000)
    assert answer.status_code == 200
    assert len(answer.content) <= MAX_ANSWER_BYTES
    assert 1 <= len(answer.json()["lines"]) < 400


def test_head_has_the_headers_without_the_lines(writer: Writer, finished: dict[str, Any]) -> None:
    head = get(writer, finished, "HEAD", count=3)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get(writer, finished, count=3).headers["content-length"]


@pytest.mark.bad_input("a start, count or offset that makes no sense")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", "0"),
        ("start", "x"),
        ("start", ""),
        ("start", "--1"),
        ("start", "+1"),
        ("start", "1_0"),
        ("start", "9" * 30),
        ("start", "-" + "9" * 30),
        ("count", "0"),
        ("count", "-1"),
        ("count", "5001"),
        ("count", "9" * 30),
        ("count", "all"),
        ("channels", "stdin"),
        ("from", "1"),
    ],
)
def test_parameters_that_make_no_sense_are_400(writer: Writer, finished: dict[str, Any], name: str, value: str) -> None:
    answer = get(writer, finished, **{name: value})
    assert answer.status_code == 400
    assert answer.json()["type"] == "invalid"
    assert list(answer.json()["errors"]) == [name]


def test_a_private_log_is_404_to_others(server: Server, finished: dict[str, Any]) -> None:
    assert httpx.get(f"{server.url}/api/v1/logs/{finished['id']}/lines").status_code == 404


# raw, cut by lines.


@pytest.mark.parametrize(
    ("first", "last"), [(1, 1), (1, COUNT), (5, 7), (9_999, 10_001), (COUNT, COUNT), (COUNT, 10 * COUNT), (3, None)]
)
def test_raw_is_cut_by_lines_both_ends_included(
    writer: Writer, finished: dict[str, Any], first: int, last: int | None
) -> None:
    answer = raw(writer, finished, **{"from-line": first} | ({} if last is None else {"to-line": last}))
    assert answer.status_code == 200
    assert answer.content == b"".join(LINES[first - 1 : last])
    assert "etag" not in answer.headers


def test_raw_up_to_a_line(writer: Writer, finished: dict[str, Any]) -> None:
    assert raw(writer, finished, **{"to-line": 3}).content == b"".join(LINES[:3])


def test_raw_is_cut_by_lines_and_channels(writer: Writer, finished: dict[str, Any]) -> None:
    answer = raw(writer, finished, **{"from-line": 5, "to-line": 25, "channels": "stderr"})
    assert answer.content == b"line 10\nline 20\n"


def test_a_range_does_not_count_for_what_is_cut_by_lines(writer: Writer, finished: dict[str, Any]) -> None:
    answer = writer.http.get(f"/logs/{finished['id']}/raw?from-line=2&to-line=2", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content) == (200, b"line 2\n")


def test_raw_of_an_open_log_is_cut_as_far_as_it_is(writer: Writer) -> None:
    log = writer.new_log()
    assert raw(writer, log, **{"from-line": 1}).content == b""
    assert writer.chunks(log["id"], entry(0, b"one\ntwo\nthr"), 0).status_code == 200
    assert raw(writer, log, **{"from-line": 2, "to-line": 9}).content == b"two\nthr"


@pytest.mark.bad_input("a start, count or offset that makes no sense")
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from-line": "0"}, "from-line"),
        ({"from-line": "-1"}, "from-line"),
        ({"from-line": "x"}, "from-line"),
        ({"from-line": "9" * 30}, "from-line"),
        ({"from-line": str(COUNT + 1)}, "from-line"),
        ({"to-line": "0"}, "to-line"),
        ({"from-line": "5", "to-line": "4"}, "to-line"),
        ({"from-line": "5", "follow": "1"}, "follow"),
    ],
)
def test_cuts_that_make_no_sense_are_400(
    writer: Writer, finished: dict[str, Any], params: dict[str, str], field: str
) -> None:
    answer = raw(writer, finished, **params)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
