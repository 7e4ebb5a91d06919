"""POST /logs/{id}/chunks: every case of http-api.md, and that nothing of a bad body is stored."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.client import CHUNKS_TYPE, Writer, entry
from tests.acceptance.server import Server, running_server

MAX_BODY_BYTES = 1024 * 1024 + 64 * 1024


@pytest.fixture
def log(writer: Writer) -> dict[str, Any]:
    return writer.new_log()


def text_of(writer: Writer, log: dict[str, Any]) -> bytes:
    return writer.http.get(f"/logs/{log['id']}/raw").content


def assert_problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = dict(answer.json())
    assert (problem["type"], problem["status"]) == (kind, status)
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_a_body_at_the_right_offset_is_appended(writer: Writer, log: dict[str, Any]) -> None:
    for number, offset in ((0, 0), (1, 6)):
        answer = writer.chunks(log["id"], entry(number, b"hello\n"), offset)
        assert answer.status_code == 200
        assert answer.json() == {"received": offset + 6}
        assert answer.headers["upload-offset"] == str(offset + 6)
    assert text_of(writer, log) == b"hello\nhello\n"


def test_without_an_offset_bodies_are_appended_as_they_come(writer: Writer, log: dict[str, Any]) -> None:
    for _ in range(2):
        assert writer.chunks(log["id"], entry(0, b"again\n")).status_code == 200
    assert text_of(writer, log) == b"again\nagain\n"


def test_a_body_that_is_sent_again_is_stored_once(writer: Writer, log: dict[str, Any]) -> None:
    body = entry(0, b"one\n") + entry(1, b"two\n")
    for _ in range(3):
        assert writer.chunks(log["id"], body, 0).json() == {"received": 8}
    longer = body + entry(0, b"three\n")
    assert writer.chunks(log["id"], longer, 0).json() == {"received": 14}
    assert text_of(writer, log) == b"one\ntwo\nthree\n"


@pytest.mark.bad_input("a hole in offsets")
def test_a_hole_is_refused_and_says_where_to_go_on(writer: Writer, log: dict[str, Any]) -> None:
    assert writer.chunks(log["id"], entry(0, b"12345"), 0).status_code == 200
    answer = writer.chunks(log["id"], entry(0, b"x"), 6)
    assert_problem(answer, 409, "offset-gap")
    assert answer.headers["upload-offset"] == "5"
    assert text_of(writer, log) == b"12345"


@pytest.mark.bad_input("offsets at the end of all numbers")
def test_offsets_at_the_end_of_all_numbers_are_refused_as_any_others(writer: Writer, log: dict[str, Any]) -> None:
    last = 2**63 - 1
    for offset, skip in ((last, None), (last, last), (2**62 + 1, 1)):
        assert_problem(writer.chunks(log["id"], entry(0, b"x"), offset, skip), 409, "offset-gap")
    assert_problem(writer.chunks(log["id"], entry(0, b"x"), 0, last), 400, "invalid")
    assert text_of(writer, log) == b""


@pytest.mark.bad_input("known bytes that differ")
def test_known_bytes_that_differ_are_refused(writer: Writer, log: dict[str, Any]) -> None:
    assert writer.chunks(log["id"], entry(0, b"12345"), 0).status_code == 200
    assert_problem(writer.chunks(log["id"], entry(0, b"12X456"), 0), 409, "overlap-differs")
    assert text_of(writer, log) == b"12345"


def test_bytes_that_the_writer_lost_are_said_in_the_log(writer: Writer, log: dict[str, Any]) -> None:
    assert writer.chunks(log["id"], entry(0, b"before\n"), 0).status_code == 200
    for _ in range(2):
        answer = writer.chunks(log["id"], entry(0, b"after\n"), 7, skip=1000)
        assert answer.json() == {"received": 1013}
    text = text_of(writer, log)
    assert text.startswith(b"before\n")
    assert text.endswith(b"after\n")
    assert text.count(b"after") == 1
    assert b"1000" in text
    finished = writer.finish(log["id"], received=1013).json()
    assert (finished["completeness"], finished["omitted"], finished["sha256"]) == ("omitted", 1000, None)


@pytest.mark.bad_input("a log that is finished")
def test_a_finished_log_takes_known_bytes_only(writer: Writer, log: dict[str, Any]) -> None:
    assert writer.chunks(log["id"], entry(0, b"all\n"), 0).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    assert writer.chunks(log["id"], entry(0, b"all\n"), 0).json() == {"received": 4}
    assert_problem(writer.chunks(log["id"], entry(0, b"more\n"), 4), 409, "finished")
    assert_problem(writer.chunks(log["id"], entry(0, b"more\n")), 409, "finished")
    assert text_of(writer, log) == b"all\n"


@pytest.mark.parametrize(("channel", "number"), [("stdout", 0), ("stderr", 1), ("header", 2)])
def test_plain_text_goes_to_the_channel_that_is_named(
    writer: Writer, log: dict[str, Any], channel: str, number: int
) -> None:
    answer = writer.http.post(
        f"/logs/{log['id']}/chunks",
        params={"channel": channel},
        content=b"3:0no,\n",
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )
    assert answer.json() == {"received": 7}
    for name in ("stdout", "stderr", "header"):
        filtered = writer.http.get(f"/logs/{log['id']}/raw", params={"channels": name}).content
        assert filtered == (b"3:0no,\n" if name == channel else b"")


@pytest.mark.bad_input("a netstring of length 99999999999")
@pytest.mark.bad_input("a netstring without its comma")
@pytest.mark.bad_input("a netstring on channel 9")
@pytest.mark.bad_input("a netstring of negative length")
@pytest.mark.bad_input("a netstring longer than the limit")
@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b"99999999999:", 0),
        (b"6:0hello", 0),
        (b"6:0helloX", 8),
        (b"6:9hello,", 2),
        (b"-1:0,", 0),
        (b"0:,", 0),
        (b"01:0,", 0),
        (b"1048578:0", 0),
        (b"hello", 0),
        (b"6:0hello,x", 9),
        (b"2:tx,", 3),
    ],
)
def test_a_malformed_stream_names_the_byte_and_stores_nothing(
    writer: Writer, log: dict[str, Any], body: bytes, position: int
) -> None:
    good = entry(0, b"good\n")
    problem = assert_problem(writer.chunks(log["id"], good + body, 0), 400, "malformed-chunks")
    assert f"byte {len(good) + position}" in problem["detail"]
    assert text_of(writer, log) == b""


@pytest.mark.bad_input("a body over 1 MiB and its framing")
def test_a_body_over_the_limit_is_refused_before_it_is_read(
    server: Server, token: str, writer: Writer, log: dict[str, Any]
) -> None:
    """Only the headers are sent: the answer must come without the body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            f"POST /api/v1/logs/{log['id']}/chunks HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: {CHUNKS_TYPE}\r\n"
            f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode()
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    assert b"too-large" in answer
    assert text_of(writer, log) == b""


def test_a_body_of_the_full_size_is_taken(writer: Writer, log: dict[str, Any]) -> None:
    body = entry(0, b"x" * 1_048_575 + b"\n")
    assert writer.chunks(log["id"], body, 0).json() == {"received": 1_048_576}


@pytest.mark.bad_input("upload headers that make no sense")
@pytest.mark.parametrize(
    ("headers", "params", "status"),
    [
        ({"Upload-Offset": "-1"}, {}, 400),
        ({"Upload-Offset": "one"}, {}, 400),
        ({"Upload-Offset": "99999999999999999999"}, {}, 400),
        ({"Upload-Skip": "5"}, {}, 400),
        ({"Upload-Offset": "0", "Upload-Skip": "x"}, {}, 400),
        ({"Content-Type": "application/json"}, {}, 415),
        ({"Content-Type": "text/plain"}, {"channel": "stdin"}, 400),
        ({"Content-Type": "text/plain"}, {"channel": ""}, 400),
        ({}, {"channel": "stdout"}, 400),
    ],
)
def test_headers_that_make_no_sense_are_refused(
    writer: Writer, log: dict[str, Any], headers: dict[str, str], params: dict[str, str], status: int
) -> None:
    answer = writer.http.post(
        f"/logs/{log['id']}/chunks",
        content=entry(0, b"x"),
        params=params,
        headers={"Content-Type": CHUNKS_TYPE, **headers},
    )
    problem = assert_problem(answer, status, "invalid")
    assert problem["errors"]
    assert text_of(writer, log) == b""


@pytest.mark.bad_input("an unknown id")
@pytest.mark.bad_input("a wrong token")
@pytest.mark.bad_input("a token for another project")
@pytest.mark.bad_input("a token without the scope")
def test_who_may_write_is_looked_at_first(server: Server, writer: Writer, log: dict[str, Any]) -> None:
    def post(token: str | None, log_id: int = log["id"]) -> httpx.Response:
        headers = {"Content-Type": CHUNKS_TYPE} | ({"Authorization": f"Bearer {token}"} if token else {})
        return httpx.post(f"{server.url}/api/v1/logs/{log_id}/chunks", content=entry(0, b"x"), headers=headers)

    assert_problem(post(None), 401, "unauthorized")
    answer = post("bl_wrong")
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_problem(post(server.token("--project", "other")), 404, "not-found")
    assert_problem(post(server.token("--scopes", "read")), 403, "forbidden")
    assert_problem(post(writer.http.headers["authorization"].split()[1], 987654), 404, "not-found")
    assert text_of(writer, log) == b""


@pytest.mark.bad_input("a method that an address does not take")
def test_other_methods_are_405(writer: Writer, log: dict[str, Any]) -> None:
    answer = writer.http.put(f"/logs/{log['id']}/chunks", content=b"")
    assert_problem(answer, 405, "method-not-allowed")
    assert "POST" in answer.headers["allow"]


@pytest.mark.bad_input("a count or hash that differs")
def test_finish_compares_what_the_writer_sent(writer: Writer, log: dict[str, Any]) -> None:
    assert writer.chunks(log["id"], entry(0, b"hello\n"), 0).status_code == 200
    digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    problem = assert_problem(writer.finish(log["id"], received=7, sha256=digest), 409, "mismatch")
    assert "7" in str(problem)
    assert writer.http.get(f"/logs/{log['id']}").json()["state"] == "open"
    for _ in range(2):
        finished = writer.finish(log["id"], received=6, sha256=digest)
        assert finished.status_code == 200
        assert (finished.json()["state"], finished.json()["completeness"]) == ("finished", "verified")
    assert finished.json()["sha256"] == digest


def test_a_mismatch_can_be_finished_as_unverified(writer: Writer, log: dict[str, Any]) -> None:
    assert writer.chunks(log["id"], entry(0, b"hello\n"), 0).status_code == 200
    finished = writer.finish(log["id"], received=7, sha256="0" * 64, unverified=True).json()
    assert (finished["state"], finished["completeness"]) == ("finished", "unverified")


async def test_many_small_bodies_at_once_are_all_stored(server: Server, writer: Writer, log: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=writer.http.base_url, headers=writer.http.headers, timeout=30) as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    f"/logs/{log['id']}/chunks",
                    content=entry(0, b"%03d\n" % number),
                    headers={"Content-Type": CHUNKS_TYPE},
                )
                for number in range(100)
            )
        )
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(text_of(writer, log).split()) == [b"%03d" % number for number in range(100)]


def test_a_writer_that_sends_too_much_is_told_when_to_go_on(data_dir: Path) -> None:
    with running_server(data_dir, environment={"BUILDLOGS_MAX_UPLOAD_BYTES_PER_SECOND": "100000"}) as server:
        writer = Writer(server.url, server.token())
        log = writer.new_log()
        body = entry(0, b"x" * 999_000)
        assert writer.chunks(log["id"], body, 0).status_code == 200
        answer = writer.chunks(log["id"], body, 999_000)
        assert_problem(answer, 429, "rate-limited")
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert len(text_of(writer, log)) == 999_000


def test_so_is_one_that_does_not_say_how_much_it_sends(data_dir: Path) -> None:
    with running_server(data_dir, environment={"BUILDLOGS_MAX_UPLOAD_BYTES_PER_SECOND": "100000"}) as server:
        writer = Writer(server.url, server.token())
        log = writer.new_log()
        text = b"x" * 999_000
        for sent in range(3):
            headers = {"Content-Type": CHUNKS_TYPE, "Upload-Offset": str(sent * len(text))}
            body = iter([entry(0, text)])
            answer = writer.http.post(f"/logs/{log['id']}/chunks", content=body, headers=headers)
            if answer.status_code != 200:
                break
        assert_problem(answer, 429, "rate-limited")
        assert int(answer.headers["retry-after"]) > 5
        assert len(text_of(writer, log)) == sent * len(text)


def test_a_session_may_write_with_its_csrf_token_only(server: Server, writer: Writer, log: dict[str, Any]) -> None:
    server.manage(
        "shell",
        "--verbosity=0",
        "--command",
        "from django.contrib.auth.models import User;"
        "User.objects.filter(username='keeper').exists() or User.objects.create_superuser('keeper', password='pw')",
    )
    with httpx.Client(base_url=server.url) as browser:
        browser.get("/login/")
        form = {"username": "keeper", "password": "pw", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post("/login/", data={**form, "next": "/healthz"}).status_code == 302
        address, headers = f"/api/v1/logs/{log['id']}/chunks", {"Content-Type": CHUNKS_TYPE}
        assert_problem(browser.post(address, content=entry(0, b"forged"), headers=headers), 403, "forbidden")
        assert text_of(writer, log) == b""
        headers["X-CSRFToken"] = browser.cookies["csrftoken"]
        assert browser.post(address, content=entry(0, b"meant"), headers=headers).status_code == 200
        assert browser.get(f"/api/v1/logs/{log['id']}/raw").content == b"meant"


def test_a_parameter_that_is_not_known_is_refused(writer: Writer, log: dict[str, Any]) -> None:
    answer = writer.http.post(
        f"/logs/{log['id']}/chunks?chanel=stderr", content=b"x", headers={"Content-Type": "text/plain"}
    )
    assert "chanel" in assert_problem(answer, 400, "invalid")["errors"]
    assert text_of(writer, log) == b""
