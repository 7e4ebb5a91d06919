"""raw of sealed logs: as the file lies, compressed while it is sent, or decoded, as the client likes it."""

from __future__ import annotations

import gzip
import hashlib
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard

from logviewer.chunkstore import ChunkStore
from tests.acceptance.client import Writer, entry
from tests.acceptance.server import Server
from tests.acceptance.test_descriptors import wait_until_few
from tests.acceptance.test_stalled import MIB, stalled

TEXT = b"".join(b"line %d of a log that is sealed\n" % number for number in range(90_000))
SHA256 = hashlib.sha256(TEXT).hexdigest()
MAX_GROWTH_BYTES = 24 * MIB


def seal(server: Server, log: dict[str, Any]) -> Path:
    """Seal a finished log, as the server's upkeep does; returns the sealed file."""
    root = server.data_dir / "logs"
    index = next(root.glob(f"**/*-{log['id']}.idx"))
    store = ChunkStore(root)
    store.seal(str(index.relative_to(root).with_suffix("")))
    store.close()
    sealed = index.with_suffix(".log.zst")
    assert sealed.exists()
    return sealed


def finished_log(writer: Writer, text: bytes = TEXT) -> dict[str, Any]:
    log = writer.new_log()
    for start in range(0, len(text), MIB):
        assert writer.chunks(log["id"], entry(start // MIB % 2, text[start : start + MIB]), start).status_code == 200
    assert writer.finish(log["id"]).status_code == 200
    return log


@pytest.fixture(scope="module")
def plain(plain_writer: Writer) -> dict[str, Any]:
    return finished_log(plain_writer)


@pytest.fixture(scope="module")
def sealed(plain_server: Server, plain_writer: Writer) -> dict[str, Any]:
    """A sealed log of three frames; `file` is what lies on disk."""
    log = finished_log(plain_writer)
    return {**log, "file": seal(plain_server, log)}


def get(
    writer: Writer, log: dict[str, Any], accepted: str, method: str = "GET", query: str = "", **headers: str
) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it came over the wire."""
    named = {"Accept-Encoding": accepted, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with writer.http.stream(method, f"/logs/{log['id']}/raw{query}", headers=named) as answer:
        return answer, b"".join(answer.iter_raw())


def test_a_client_that_takes_zstandard_gets_the_file_as_it_lies(plain_writer: Writer, sealed: dict[str, Any]) -> None:
    answer, body = get(plain_writer, sealed, "gzip, zstd")
    assert answer.status_code == 200
    assert body == sealed["file"].read_bytes()
    assert answer.headers["content-encoding"] == "zstd"
    assert answer.headers["content-length"] == str(len(body))
    assert answer.headers["etag"] == f'"{SHA256}-zstd"'
    assert answer.headers["vary"] == "Accept-Encoding, Authorization, Cookie"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    decoder = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True)
    assert decoder.read() == TEXT


def test_gzip_is_made_on_request_and_always_the_same(plain_writer: Writer, sealed: dict[str, Any]) -> None:
    answer, body = get(plain_writer, sealed, "gzip, deflate")
    assert gzip.decompress(body) == TEXT
    assert len(body) < len(TEXT) / 4
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["etag"] == f'"{SHA256}-gzip"'
    assert "content-length" not in answer.headers
    assert get(plain_writer, sealed, "gzip")[1] == body


@pytest.mark.parametrize("accepted", ["identity", "br", "zstd;q=0", "gzip;q=0, zstd;q=0.0", "identity;q=1, zstd;q=0.5"])
def test_anybody_else_gets_the_text_decoded(plain_writer: Writer, sealed: dict[str, Any], accepted: str) -> None:
    answer, body = get(plain_writer, sealed, accepted)
    assert body == TEXT
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(TEXT))
    assert answer.headers["etag"] == f'"{SHA256}"'
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(("accepted", "coding"), [("zstd", "zstd"), ("gzip", "gzip"), ("identity", None)])
def test_head_has_the_headers_of_each_coding(
    plain_writer: Writer, sealed: dict[str, Any], accepted: str, coding: str | None
) -> None:
    head, body = get(plain_writer, sealed, accepted, "HEAD")
    whole, _ = get(plain_writer, sealed, accepted)
    assert (head.status_code, body) == (200, b"")
    assert head.headers.get("content-encoding") == coding
    for name in ("etag", "content-length", "content-type", "vary"):
        assert head.headers.get(name) == whole.headers.get(name)


def test_a_range_is_of_the_text_itself_whatever_the_client_takes(plain_writer: Writer, sealed: dict[str, Any]) -> None:
    for start, stop in ((0, 1), (MIB - 3, MIB + 3), (2 * MIB, len(TEXT)), (len(TEXT) - 1, len(TEXT))):
        answer, body = get(plain_writer, sealed, "zstd, gzip", Range=f"bytes={start}-{stop - 1}")
        assert answer.status_code == 206
        assert body == TEXT[start:stop]
        assert answer.headers["etag"] == f'"{SHA256}"'
        assert "content-encoding" not in answer.headers
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(TEXT)}"


def test_if_range_takes_the_tag_of_the_text_itself_only(plain_writer: Writer, sealed: dict[str, Any]) -> None:
    known, _ = get(plain_writer, sealed, "zstd", Range="bytes=0-9", If_Range=f'"{SHA256}"')
    assert known.status_code == 206
    coded, body = get(plain_writer, sealed, "zstd", Range="bytes=0-9", If_Range=f'"{SHA256}-zstd"')
    assert (coded.status_code, coded.headers["content-encoding"]) == (200, "zstd")
    assert body == sealed["file"].read_bytes()


@pytest.mark.parametrize("coding", ["", "-zstd", "-gzip"])
@pytest.mark.parametrize("accepted", ["zstd", "gzip", "identity"])
def test_whoever_has_the_text_in_any_coding_is_told_that_it_is_the_same(
    plain_writer: Writer, sealed: dict[str, Any], coding: str, accepted: str
) -> None:
    answer, body = get(plain_writer, sealed, accepted, If_None_Match=f'"{SHA256}{coding}"')
    assert (answer.status_code, body) == (304, b"")
    assert answer.headers["etag"] == f'"{SHA256}{coding}"'
    assert answer.headers["vary"] == "Accept-Encoding, Authorization, Cookie"


def test_what_is_not_sealed_has_no_coding(plain_writer: Writer, plain: dict[str, Any]) -> None:
    log = plain_writer.new_log()
    assert plain_writer.chunks(log["id"], entry(0, b"open\n"), 0).status_code == 200
    for answer, body in (get(plain_writer, log, "zstd, gzip"), get(plain_writer, plain, "zstd, gzip")):
        assert "content-encoding" not in answer.headers
        assert body in (b"open\n", TEXT)


@pytest.mark.parametrize(
    "query", ["?channels=stdout", "?from-line=10&to-line=70000", "?channels=stderr&from-line=50000"]
)
def test_a_part_of_a_sealed_log_has_no_coding_and_is_that_of_the_plain_one(
    plain_writer: Writer, plain: dict[str, Any], sealed: dict[str, Any], query: str
) -> None:
    answer, body = get(plain_writer, sealed, "zstd, gzip", query=query)
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
    assert "etag" not in answer.headers
    assert body
    assert body == get(plain_writer, plain, "identity", query=query)[1]


@pytest.mark.parametrize("door", ["chunks", "lines?start=-700&count=700", "marks", "progressiveText?start=1000000"])
def test_every_other_door_says_the_same_of_a_sealed_log(
    plain_writer: Writer, plain: dict[str, Any], sealed: dict[str, Any], door: str
) -> None:
    before, after = (plain_writer.http.get(f"/logs/{log['id']}/{door}") for log in (plain, sealed))
    assert (after.status_code, before.status_code) == (200, 200)
    if door != "chunks":  # its times are those of two different uploads
        assert texts(after) == texts(before)
    else:
        assert after.headers["next-offset"] == before.headers["next-offset"] == str(MIB)


def texts(answer: httpx.Response) -> list[Any]:
    """What an answer says, without times, and without whether errors were looked for in all of it yet."""
    if answer.headers["content-type"] == "application/json":
        told = answer.json()
        if "lines" in told:
            return [(line["n"], line["runs"]) for line in told["lines"]]
        return [{**told, "complete": None}]
    return [answer.content]


def test_a_library_that_decodes_by_itself_gets_the_text(plain_writer: Writer, sealed: dict[str, Any]) -> None:
    answer = plain_writer.http.get(f"/logs/{sealed['id']}/raw", headers={"Accept-Encoding": "zstd"})
    assert answer.headers["content-encoding"] == "zstd"
    assert answer.content == TEXT


@pytest.mark.parametrize("accepted", ["zstd", "gzip", "identity"])
def test_an_empty_log_has_no_coding(plain_server: Server, plain_writer: Writer, accepted: str) -> None:
    log = finished_log(plain_writer, b"")
    seal(plain_server, log)
    answer, body = get(plain_writer, log, accepted)
    assert (answer.status_code, body, answer.headers["content-length"]) == (200, b"", "0")
    assert "content-encoding" not in answer.headers


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_decodes_what_it_asked_for_and_resumes_what_was_cut(
    plain_server: Server, plain_token: str, sealed: dict[str, Any], tmp_path: Path
) -> None:
    url = f"{plain_server.url}/api/v1/logs/{sealed['id']}/raw"
    curl = ["curl", "-sS", "--fail", "-H", f"Authorization: Bearer {plain_token}"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([*curl, "--compressed", "-D", str(tmp_path / "headers"), "-o", str(whole), url], check=True)
    assert whole.read_bytes() == TEXT
    offers = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
    if "zstd" in offers:
        assert "content-encoding: zstd" in (tmp_path / "headers").read_text().lower()
    cut.write_bytes(TEXT[:1_234_567])
    subprocess.run([*curl, "-C", "-", "-o", str(cut), url], check=True)
    assert cut.read_bytes() == TEXT


@pytest.mark.bad_input("a damaged log")
def test_a_damaged_sealed_log_is_a_problem_or_breaks_off(own_server: Server) -> None:
    writer = Writer(own_server.url, own_server.token())
    noise = random.Random(5).randbytes(3 * MIB)
    log = finished_log(writer, noise)
    path = seal(own_server, log)
    good = path.read_bytes()
    for place in (100, len(good) // 2):
        damaged = bytearray(good)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        if place == 100:
            answer, body = get(writer, log, "identity")
            assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
            assert b'"damaged"' in body
            assert str(own_server.data_dir).encode() not in body
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                get(writer, log, "identity")
    path.write_bytes(good[:-20])
    answer, body = get(writer, log, "zstd")
    assert answer.status_code == 500
    assert b'"damaged"' in body
    path.write_bytes(good)
    assert get(writer, log, "identity")[1] == noise


def test_clients_that_stall_cost_little_whatever_the_coding(own_server: Server) -> None:
    token = own_server.token()
    writer = Writer(own_server.url, token)
    log = finished_log(writer, random.Random(6).randbytes(MIB) * 24)
    seal(own_server, log)
    for accepted in ("zstd", "gzip", "identity"):
        assert get(writer, log, accepted)[0].status_code == 200
    before = own_server.rss_bytes()
    connections = [
        stalled(
            own_server,
            f"GET /api/v1/logs/{log['id']}/raw HTTP/1.1\nHost: 127.0.0.1\nAccept-Encoding: {accepted}\n"
            f"Authorization: Bearer {token}\n\n",
        )
        for accepted in ("zstd", "gzip", "identity")
    ]
    for connection in connections:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    growth = own_server.rss_bytes() - before
    for connection in connections:
        connection.close()
    assert growth <= MAX_GROWTH_BYTES
    assert wait_until_few(own_server, ".log.zst", 0)
