"""Damaged logs over HTTP: a problem that says where and how to read around, and what is whole is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from logviewer.chunkstore import parse_chunk_stream
from logviewer.chunkstore.record import HEADER_BYTES, RECORD_BYTES
from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server

LINES = [b"line %d\n" % number for number in range(9)]


@pytest.fixture(scope="module")
def damaged(plain_server: Server, plain_writer: Writer) -> dict[str, Any]:
    """A finished log of nine records, the fourth of which says that it begins elsewhere."""
    log = plain_writer.new_log()
    for number, line in enumerate(LINES):
        body = entry("t", str(1_000_000 * number).encode()) + entry(number % 2, line)
        assert plain_writer.chunks(log["id"], body).status_code == 200
    assert plain_writer.finish(log["id"]).status_code == 200
    index = file_of(plain_server, log, ".idx")
    data = bytearray(index.read_bytes())
    data[HEADER_BYTES + 3 * RECORD_BYTES] ^= 0xFF
    index.write_bytes(data)
    return log


def file_of(server: Server, log: dict[str, Any], ending: str) -> Path:
    return next(server.data_dir.glob(f"logs/**/*-{log['id']}{ending}"))


def get(writer: Writer, log: dict[str, Any], door: str, **params: Any) -> httpx.Response:
    return writer.http.get(f"/logs/{log['id']}/{door}", params=params)


def offset_of(line: int) -> int:
    return sum(map(len, LINES[:line]))


@pytest.mark.bad_input("a damaged log")
def test_a_page_of_chunks_at_the_damage_says_where_reading_can_go_on(
    plain_server: Server, plain_writer: Writer, damaged: dict[str, Any]
) -> None:
    whole = get(plain_writer, damaged, "chunks", limit=offset_of(3))
    assert [part.data for part in parse_chunk_stream(whole.content)] == LINES[:3]
    answer = get(plain_writer, damaged, "chunks", offset=offset_of(3))
    assert answer.status_code == 500
    problem = answer.json()
    assert (problem["type"], problem["resume_offset"]) == ("damaged", offset_of(4))
    assert f"byte {offset_of(3)}" in problem["detail"]
    assert str(plain_server.data_dir) not in answer.text
    assert "a log is damaged" in plain_server.log_path.read_text()
    rest = get(plain_writer, damaged, "chunks", offset=problem["resume_offset"])
    assert [part.data for part in parse_chunk_stream(rest.content)] == LINES[4:]


def test_the_text_needs_no_index_and_is_given_whole(plain_writer: Writer, damaged: dict[str, Any]) -> None:
    assert get(plain_writer, damaged, "raw").content == b"".join(LINES)
    assert get(plain_writer, damaged, "progressiveText", start=5).content == b"".join(LINES)[5:]


@pytest.mark.bad_input("a damaged log")
@pytest.mark.parametrize("params", [{}, {"start": 5}, {"start": -1, "channels": "stderr"}])
def test_a_window_of_lines_is_right_or_says_that_the_log_is_damaged(
    plain_writer: Writer, damaged: dict[str, Any], params: dict[str, Any]
) -> None:
    answer = get(plain_writer, damaged, "lines", **params)
    if answer.status_code == 200:
        for line in answer.json()["lines"]:
            assert line["runs"] == [[(line["n"] - 1) % 2, f"line {line['n'] - 1}"]]
    else:
        assert (answer.status_code, answer.json()["type"]) == (500, "damaged")


def test_channels_that_were_sent_in_part_break_off(plain_writer: Writer, damaged: dict[str, Any]) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        get(plain_writer, damaged, "raw", channels="stdout")


@pytest.mark.bad_input("a damaged log")
@pytest.mark.parametrize(
    "door", ["raw", "raw?channels=stdout", "raw?from-line=1", "chunks", "lines", "marks", "progressiveText"]
)
def test_where_nothing_can_be_read_the_answer_is_a_problem(
    plain_server: Server, plain_writer: Writer, door: str
) -> None:
    log = plain_writer.new_log()
    assert plain_writer.chunks(log["id"], entry(0, b"text\n"), 0).status_code == 200
    assert plain_writer.finish(log["id"]).status_code == 200
    file_of(plain_server, log, ".idx").write_bytes(b"garbage!" * 16)
    answer = get(plain_writer, log, door)
    assert (answer.status_code, answer.json()["type"]) == (500, "damaged")
    assert str(plain_server.data_dir) not in answer.text
