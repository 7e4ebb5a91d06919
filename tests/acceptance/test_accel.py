"""Downloads through deploy/nginx.conf: the same answers as from the server itself, but nginx sends the files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from logviewer.doors.guard.bodies import DEFAULT_MAX_BODY_BYTES, too_large_problem
from tests.acceptance.client import Writer, entry
from tests.acceptance.nginx import Front, running_nginx
from tests.acceptance.server import SEALS_NOTHING, Server, running_server

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))
ETAG = f'"{hashlib.sha256(TEXT).hexdigest()}"'
ZSTD_ETAG = f'{ETAG[:-1]}-zstd"'
OF_THE_CONNECTION = {"date", "server", "connection", "x-request-id", "transfer-encoding"}

FROM_THE_FILE: list[dict[str, str]] = [
    {},
    {"Range": "bytes=0-0"},
    {"Range": "bytes=10-19"},
    {"Range": "bytes=300000-"},
    {"Range": "bytes=-5"},
    {"Range": "bytes=5-99999999"},
    {"Range": "bytes=-99999999"},
    {"Range": "bytes=10-19", "If-Range": ETAG},
    {"If-None-Match": '"another"'},
    {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
]
"""Requests for a plain log that nginx answers with its file."""

FROM_THE_SERVER: list[dict[str, str]] = [
    {"If-None-Match": ETAG},
    {"If-None-Match": f"W/{ETAG}"},
    {"If-None-Match": "*"},
    {"Range": "bytes=10-19", "If-Range": '"another"'},
    {"Range": "bytes=5-3"},
    {"Range": "bytes=0-1,3-4"},
    {"Range": "lines=1-2"},
    {"Range": f"bytes={len(TEXT)}-"},
    {"Range": "bytes=-0"},
    {"Range": "bytes=0-99999999999999999999"},
    {"If-Match": '"another"'},
    {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
]


class Place:
    """A server with nginx before it, and a plain and a sealed log of a private project."""

    def __init__(self, server: Server, front: Front, token: str) -> None:
        self.server = server
        self.front = front
        self.token = token
        writer = Writer(server.url, token)
        self.sealed = self._finished(writer)
        server.manage("upkeep")
        self.plain = self._finished(writer)

    def both(self, log: dict[str, Any], method: str = "GET", query: str = "", **headers: str) -> httpx.Response:
        """Ask nginx and the server itself; they must say the same. Returns nginx's answer."""
        asked = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "identity", **headers}
        answers = []
        for url in (self.front.url, self.server.url):
            address = f"{url}/api/v1/logs/{log['id']}/raw{query}"
            with httpx.stream(method, address, headers=asked, timeout=30) as answer:
                body = b"".join(answer.iter_raw())
                kept = sorted((name, value) for name, value in answer.headers.items() if name not in OF_THE_CONNECTION)
                answers.append((answer.status_code, kept, body))
        assert answers[0] == answers[1]
        status, kept, body = answers[0]
        return httpx.Response(status, headers=[pair for pair in kept if pair[0] != "content-encoding"], content=body)

    @staticmethod
    def _finished(writer: Writer) -> dict[str, Any]:
        log = writer.new_log()
        assert writer.chunks(log["id"], entry(0, TEXT), 0).status_code == 200
        assert writer.finish(log["id"]).status_code == 200
        return log


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, nginx: str) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("accel")
    environment = {
        **SEALS_NOTHING,
        "BUILDLOGS_ACCEL_PREFIX": "/internal-logs/",
        "BUILDLOGS_TRUSTED_PROXIES": "127.0.0.1",
    }
    with ExitStack() as stack:
        server = stack.enter_context(running_server(directory, environment=environment))
        front = stack.enter_context(running_nginx(nginx, directory / "nginx", [server.port], directory / "logs"))
        yield Place(server, front, server.token())


@pytest.mark.parametrize("headers", FROM_THE_FILE, ids=str)
def test_nginx_sends_a_plain_log_and_what_the_server_says_of_it(place: Place, headers: dict[str, str]) -> None:
    answer = place.both(place.plain, **headers)
    assert answer.status_code == (206 if "Range" in headers else 200)
    assert answer.headers["etag"] == ETAG
    assert answer.headers["accept-ranges"] == "bytes"
    assert "last-modified" not in answer.headers
    assert place.front.last_file().startswith("/internal-logs/demo/linux/")


@pytest.mark.parametrize("headers", FROM_THE_SERVER, ids=str)
def test_what_nginx_would_judge_otherwise_the_server_answers(place: Place, headers: dict[str, str]) -> None:
    place.both(place.plain, **headers)
    assert place.front.last_file() == "-"


@pytest.mark.parametrize("query", ["?channels=stdout", "?from-line=2", "?to-line=0"])
def test_so_it_does_with_parts_of_a_log(place: Place, query: str) -> None:
    place.both(place.plain, query=query)
    assert place.front.last_file() == "-"


def test_a_download_keeps_its_name(place: Place) -> None:
    answer = place.both(place.plain, query="?download=1")
    assert answer.headers["content-disposition"].startswith('attachment; filename="demo-linux-')
    assert place.front.last_file() != "-"


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
def test_other_methods_are_the_servers(place: Place, method: str) -> None:
    for log in (place.plain, place.sealed):
        place.both(log, method, **{"Accept-Encoding": "zstd"})
        assert place.front.last_file() == "-"


def test_nginx_sends_a_sealed_log_to_whoever_takes_zstandard(place: Place) -> None:
    answer = place.both(place.sealed, **{"Accept-Encoding": "zstd"})
    assert (answer.status_code, answer.headers["etag"]) == (200, ZSTD_ETAG)
    assert len(answer.content) < len(TEXT) / 2
    assert place.front.last_file().endswith(".log.zst")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept-Encoding": "gzip"},
        {"Accept-Encoding": "zstd;q=0, identity"},
        {"Accept-Encoding": "zstd", "Range": "bytes=10-19"},
        {"Accept-Encoding": "zstd", "Range": "bytes=5-3"},
        {"Accept-Encoding": "zstd", "If-None-Match": ZSTD_ETAG},
    ],
    ids=str,
)
def test_what_has_to_be_decoded_the_server_sends(place: Place, headers: dict[str, str]) -> None:
    answer = place.both(place.sealed, **headers)
    if "Range" not in headers and "If-None-Match" not in headers and "gzip" not in headers.values():
        assert answer.content == TEXT
    assert place.front.last_file() == "-"


@pytest.mark.parametrize("authorization", ["", "Bearer bl_of_nobody"])
def test_whoever_may_not_read_a_log_gets_nothing_of_it_from_nginx(place: Place, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.get(f"{place.front.url}/api/v1/logs/{place.plain['id']}/raw", headers=headers)
    assert answer.status_code == (401 if authorization else 404)
    assert answer.headers["content-type"] == "application/problem+json"


def test_nobody_comes_to_the_files_from_outside(place: Place) -> None:
    place.both(place.plain)
    file = place.front.last_file()
    bearer = {"Authorization": f"Bearer {place.token}"}
    for path in (file, f"{file}/", "/internal-logs/", "/x/..%2finternal-logs/", file.replace("/demo/", "/%64emo/")):
        assert httpx.get(f"{place.front.url}{path}", headers=bearer).status_code == 404


def test_a_client_cannot_ask_for_the_place_of_a_file(place: Place) -> None:
    headers = {"Authorization": f"Bearer {place.token}", "X-Sendfile-Type": "other"}
    answer = httpx.get(f"{place.front.url}/api/v1/logs/{place.plain['id']}/raw", headers=headers)
    assert answer.content == TEXT
    assert "x-accel-redirect" not in answer.headers


def test_a_file_that_has_gone_by_the_time_nginx_opens_it_comes_from_the_server(
    place: Place, tmp_path: Path, nginx: str
) -> None:
    bearer = {"Authorization": f"Bearer {place.token}", "Range": "bytes=5-104"}
    with running_nginx(nginx, tmp_path / "nginx", [place.server.port], tmp_path / "nothing-here") as front:
        answer = httpx.get(f"{front.url}/api/v1/logs/{place.plain['id']}/raw?download=1", headers=bearer)
        assert "No such file" in front.errors()
    assert (answer.status_code, answer.content) == (206, TEXT[5:105])
    assert len(answer.headers) == len(answer.headers.multi_items())  # nothing is said twice
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_an_empty_log_passes_too(place: Place) -> None:
    writer = Writer(place.server.url, place.token)
    log = writer.new_log()
    assert writer.finish(log["id"]).status_code == 200
    for coding in ("identity", "zstd"):
        assert place.both(log, **{"Accept-Encoding": coding}).content == b""


@pytest.mark.parametrize("size", [1_200_000, 3_000_000], ids=["beyond the server's limit", "beyond nginx's"])
def test_a_body_that_is_too_large_is_told_so_in_the_same_words(place: Place, size: int) -> None:
    address = f"{place.front.url}/api/v1/logs/{place.plain['id']}/chunks"
    answer = httpx.post(address, content=b"x" * size, headers={"Authorization": f"Bearer {place.token}"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert answer.json() == json.loads(too_large_problem(DEFAULT_MAX_BODY_BYTES))


def test_the_server_hears_who_asked_and_under_which_id(place: Place) -> None:
    headers = {"X-Forwarded-For": "198.51.100.9", "X-Request-ID": "through-nginx"}
    assert httpx.get(f"{place.front.url}/nothing/", headers=headers).headers["x-request-id"] == "through-nginx"
    made = httpx.get(f"{place.front.url}/nothing/", headers={"X-Request-ID": "a b"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)  # nginx's form
    [line] = [line for line in place.server.log_path.read_text().splitlines() if "[through-nginx]" in line]
    assert " 198.51.100.9 nothing " in line


def test_without_the_setting_the_server_sends_all_itself(server: Server, writer: Writer) -> None:
    log = writer.new_log()
    assert writer.chunks(log["id"], entry(0, TEXT), 0).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    answer = writer.http.get(f"/logs/{log['id']}/raw", headers={"X-Sendfile-Type": "X-Accel-Redirect"})
    assert answer.content == TEXT
    assert "x-accel-redirect" not in answer.headers
