"""Peers that fall silent: in the middle of a request, or on a connection that has died without a word."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Iterator
from itertools import cycle

import pytest

from tests.acceptance.client import entry
from tests.acceptance.guard.servers import handshake, read_all
from tests.acceptance.peers import CLOSE, PING, PONG, SOCKETS, Peer, Place, make_place
from tests.acceptance.scrape import scrape_until
from tests.acceptance.server import running_server
from tests.acceptance.silent_proxy import SilentProxy
from tests.acceptance.steady import steady_state

PATIENCE = "2"
"""Seconds, instead of the minute and more that real peers get."""

WAIT_SECONDS = 30
CONNECTIONS_EACH = 10
SLOW_BODY_BYTES = 16 * 1024
SLOW_PIECE_BYTES = 512
SLOW_PAUSE_SECONDS = 0.15


@pytest.fixture(scope="module")
def on_daphne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with little patience. uvicorn has none to shorten: a head's time is for the proxy before it."""
    with running_server(
        tmp_path_factory.mktemp("silent"),
        environment={"BUILDLOGS_UPKEEP_IN_SERVER": "0", "BUILDLOGS_TEST_PATIENCE": PATIENCE},
        arguments=["--ping-interval", "1", "--ping-timeout", "1"],
        application="tests.acceptance.impatient:application",
    ) as server:
        yield make_place(server)


@pytest.fixture(scope="module")
def on_uvicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running_server(
        tmp_path_factory.mktemp("uvicorn"),
        kind="uvicorn",
        environment={"BUILDLOGS_UPKEEP_IN_SERVER": "0"},
        arguments=["--ws-ping-interval", "1", "--ws-ping-timeout", "1"],
    ) as server:
        yield make_place(server)


@pytest.fixture(params=["on_daphne", pytest.param("on_uvicorn", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> Place:
    """A server that pings each second."""
    found: Place = request.getfixturevalue(request.param)
    return found


def trickle(heads: list[tuple[socket.socket, bytes]]) -> list[bytes]:
    """Send a byte of each head at a time, without end, until the server ends it; returns what it said."""
    sending = [(sock, cycle(b"X-More: more and more\r\n"), iter(head)) for sock, head in heads]
    said = {sock: b"" for sock, _ in heads}
    open_still = dict.fromkeys(said)
    deadline = time.monotonic() + WAIT_SECONDS
    while open_still:
        assert time.monotonic() < deadline, f"{len(open_still)} are open still"
        for sock in select.select(list(open_still), [], [], 0.1)[0]:
            data = b""
            with contextlib.suppress(OSError):
                data = sock.recv(4096)
            said[sock] += data
            if not data:
                del open_still[sock]
        for sock, more, head in sending:
            if sock in open_still:
                with contextlib.suppress(OSError):
                    sock.sendall(bytes([next(head, 0) or next(more)]))
    return list(said.values())


@pytest.mark.bad_input("a head that comes a byte at a time")
def test_a_head_that_comes_a_byte_at_a_time_is_408(on_daphne: Place) -> None:
    place = on_daphne
    request = f"GET /api/v1/projects HTTP/1.1\r\n{place.headers}".encode()
    upgrades = [handshake(place.path(kind), place.headers)[:-2] for kind in SOCKETS]
    with steady_state(place.server, place.token):
        heads = [(place.connect(), head) for head in [request, *upgrades] for _ in range(CONNECTIONS_EACH)]
        for answer in trickle(heads):
            assert_timeout(answer)
        for sock, _ in heads:
            sock.close()


@pytest.mark.bad_input("a head that comes a byte at a time")
def test_also_the_second_request_of_a_connection_has_to_come(on_daphne: Place) -> None:
    place = on_daphne
    with steady_state(place.server, place.token):
        sock = place.get("/healthz")
        first = b""
        while b'{"status": "ok"}' not in first:
            first += sock.recv(4096)
        (answer,) = trickle([(sock, b"GET / HTTP/1.1\r\n")])
        assert_timeout(answer)
        sock.close()


@pytest.mark.bad_input("a body that stops")
def test_a_body_that_stops_is_408_and_nothing_is_stored(on_daphne: Place) -> None:
    place = on_daphne
    there = place.new_log()
    with steady_state(place.server, place.token):
        sock = place.connect()
        sock.sendall(upload_head(there, "Content-Length: 1000") + b"7:0hello")
        assert_timeout(read_all(sock))
        sock.close()
    assert place.writer.http.get(f"/logs/{there.log['id']}").json()["received"] == 0


@pytest.mark.bad_input("a body that comes a byte at a time")
@pytest.mark.parametrize(
    ("framing", "begin"), [("Content-Length: 1000", b""), ("Transfer-Encoding: chunked", b"3e8\r\n")]
)
def test_a_body_that_comes_a_byte_at_a_time_is_408_and_nothing_is_stored(
    on_daphne: Place, framing: str, begin: bytes
) -> None:
    place = on_daphne
    there = place.new_log()
    with steady_state(place.server, place.token):
        sock = place.connect()
        sock.sendall(upload_head(there, framing) + begin)
        (answer,) = trickle([(sock, b"7:0hello,")])
        assert_timeout(answer)
        sock.close()
    assert place.writer.http.get(f"/logs/{there.log['id']}").json()["received"] == 0


def test_a_slow_body_that_takes_longer_than_a_silent_one_may_is_stored(on_daphne: Place) -> None:
    place = on_daphne
    there = place.new_log()
    body = entry(0, b"x" * SLOW_BODY_BYTES)
    sock = place.connect()
    sock.sendall(upload_head(there, f"Content-Length: {len(body)}"))
    began = time.monotonic()
    for start in range(0, len(body), SLOW_PIECE_BYTES):
        assert select.select([sock], [], [], SLOW_PAUSE_SECONDS) == ([], [], []), sock.recv(4096)
        sock.sendall(body[start : start + SLOW_PIECE_BYTES])
    assert time.monotonic() - began > 2 * float(PATIENCE)
    assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    sock.close()
    assert place.writer.http.get(f"/logs/{there.log['id']}").json()["received"] == SLOW_BODY_BYTES


def upload_head(there: Place, framing: str) -> bytes:
    return (
        f"POST /api/v1/logs/{there.log['id']}/chunks HTTP/1.1\r\n{there.headers}"
        f"Content-Type: application/vnd.buildlogs.chunks\r\n{framing}\r\n\r\n"
    ).encode()


def assert_timeout(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), answer
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == ("request-timeout", 408)


@pytest.mark.bad_input("a connection that is half open")
def test_sockets_whose_peer_is_gone_without_a_word_are_noticed_by_their_pings(place: Place) -> None:
    there = place.new_log()
    proxy = SilentProxy(place.server.port)
    try:
        with steady_state(place.server, place.token, seconds=WAIT_SECONDS) as watcher:
            peers = [there.open(kind, port=proxy.port) for kind in SOCKETS for _ in range(CONNECTIONS_EACH)]
            assert watcher.look().sockets == len(peers)
            proxy.fall_silent()
            there.write(1000)
            scrape_until(
                place.server,
                place.token,
                lambda now: not now("buildlogs_intake_sockets") and not now("buildlogs_viewers", kind="log"),
                seconds=WAIT_SECONDS,
            )
    finally:
        proxy.close()
        close(peers)


def close(peers: list[Peer]) -> None:
    for peer in peers:
        peer.close()


@pytest.mark.bad_input("a connection that is half open")
def test_a_download_whose_peer_is_gone_without_a_word_is_ended_when_bytes_wait(on_daphne: Place) -> None:
    place = on_daphne
    there = place.new_log()
    proxy = SilentProxy(place.server.port)
    try:
        with steady_state(place.server, place.token, seconds=WAIT_SECONDS):
            sock = there.get(f"/api/v1/logs/{there.log['id']}/raw?follow=1", port=proxy.port)
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
            proxy.fall_silent()
            there.write(16_000_000)
    finally:
        proxy.close()
        sock.close()


@pytest.mark.slow
def test_peers_that_answer_their_pings_stay(place: Place) -> None:
    there = place.new_log()
    peers = {peer.sock: (kind, peer) for kind in SOCKETS for peer in [there.open(kind)]}
    pings = dict.fromkeys(SOCKETS, 0)
    deadline = time.monotonic() + 6  # three times what the silent ones get
    while time.monotonic() < deadline:
        for sock in select.select(list(peers), [], [], 0.5)[0]:
            kind, peer = peers[sock]
            opcode, payload = peer.receive()
            assert opcode != CLOSE, payload
            if opcode == PING:
                pings[kind] += 1
                peer.send(PONG, payload)
    assert min(pings.values()) >= 2
    for kind, peer in peers.values():
        there.works(kind, peer)
