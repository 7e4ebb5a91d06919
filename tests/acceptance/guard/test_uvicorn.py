"""The guard on uvicorn, which blocks by itself: only the limit on bodies is left to do."""

import hashlib
import json
import os

import pytest

from tests.acceptance.guard.requests import LIMIT_BYTES, assert_too_large, request, response
from tests.acceptance.guard.servers import running

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running("uvicorn", tmp_path_factory.mktemp("uvicorn") / "log") as running_server:
        yield running_server


def test_a_body_of_the_limit_is_taken(server):
    body = os.urandom(LIMIT_BYTES)
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nContent-Length: {len(body)}\n", body)
        status, _, answer = response(sock)
    assert (status, json.loads(answer)["sha256"]) == (200, hashlib.sha256(body).hexdigest())


def test_a_declared_body_over_the_limit_is_refused_before_the_application_is_called(server):
    calls = server.state()["calls"]
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nContent-Length: {LIMIT_BYTES + 1}\n")
        assert_too_large(response(sock))
    assert server.state()["calls"] == calls


def test_a_client_that_sends_all_before_it_reads_still_gets_the_413(server):
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nContent-Length: {20 * MIB}\n")
        sock.sendall(bytes(20 * MIB))
        assert_too_large(response(sock))


@pytest.mark.bad_input("a body over 1 MiB and its framing")
def test_a_chunked_body_is_refused_as_soon_as_it_passes_the_limit(server):
    with server.connect() as sock:
        request(sock, "POST /upload HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n")
        sock.sendall((b"10000\r\n" + bytes(65536) + b"\r\n") * 17)
        sock.sendall(b"1\r\nx\r\n")
        assert_too_large(response(sock))


def test_a_client_that_asks_first_is_told_413_and_not_to_continue(server):
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: {400 * MIB}\n")
        assert_too_large(response(sock))


def test_websockets_are_left_as_they_are(server):
    viewer = server.websocket("/send/8/4404")
    assert viewer.receive_to_the_end() == (8 * 256 * 1024, (4404, "that is all"))
