"""The guard on a real Daphne, over real sockets."""

import contextlib
import hashlib
import json
import os
import signal
import time

import pytest

from tests.acceptance.guard.requests import LIMIT_BYTES, assert_too_large, request, response
from tests.acceptance.guard.servers import (
    Server,
    WebSocket,
    frame_header,
    push,
    read_all,
    running,
)

MIB = 1024 * 1024
FRAME_BYTES = 256 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running("daphne", tmp_path_factory.mktemp("daphne") / "log") as running_server:
        warm(running_server)
        yield running_server


def warm(server: Server) -> None:
    """Let the allocator reach its working size, so that what a test adds is what the test costs."""
    with server.connect() as sock:
        sock.sendall(b"GET /download/40 HTTP/1.0\r\n\r\n")
        read_all(sock)
    server.websocket("/send/40/1000").receive_to_the_end()


# What the server sends


def test_a_download_to_a_client_that_stalls_costs_no_memory_and_goes_on_when_it_reads(server):
    before = server.state()["rss"]
    with server.connect() as sock:
        request(sock, "GET /download/800 HTTP/1.0\n")
        server.until(lambda state: state["sent"] > 0)
        stalled = server.until_still("sent")
        assert stalled["sent"] < 16 * MIB
        assert stalled["rss"] - before < 2 * MIB
        body = read_all(sock).partition(b"\r\n\r\n")[2]
    assert len(body) == 800 * FRAME_BYTES


def test_frames_to_a_viewer_that_stalls_cost_no_memory_and_all_arrive_when_it_reads(server):
    before = server.state()["rss"]
    viewer = server.websocket("/send/800/1000")
    server.until(lambda state: state["sent"] > 0)
    stalled = server.until_still("sent")
    assert stalled["sent"] < 16 * MIB
    assert stalled["rss"] - before < 2 * MIB
    assert viewer.receive_to_the_end() == (800 * FRAME_BYTES, (1000, "that is all"))


@pytest.mark.parametrize("path", ["/download/801", "/send/801/1000"])
def test_an_application_that_waits_to_send_is_woken_when_its_client_goes_away(server, path):
    if path.startswith("/send"):
        sock = server.websocket(path).sock
    else:
        sock = server.connect()
        request(sock, f"GET {path} HTTP/1.1\nHost: x\n")
    server.until(lambda state: state["sent"] > 0)
    server.until_still("sent")
    sock.close()
    server.until(lambda state: path in state["ended"])


def test_two_requests_on_one_connection_are_answered_in_turn(server):
    with server.connect() as sock:
        for size in (3, 300_000, 5):
            request(sock, f"POST /upload HTTP/1.1\nHost: x\nContent-Length: {size}\n", b"x" * size)
            assert json.loads(response(sock)[2])["size"] == size


def test_pipelined_requests_behind_a_stalled_download_are_answered_when_it_is_read(server):
    with server.connect() as sock:
        request(sock, "GET /download/100 HTTP/1.1\nHost: x\n")
        request(sock, "POST /upload HTTP/1.1\nHost: x\nConnection: close\nContent-Length: 2\n", b"ok")
        server.until(lambda state: state["sent"] > 0)
        server.until_still("sent")
        whole = read_all(sock)
    assert whole.count(b"HTTP/1.1 200") == 2
    assert json.loads(whole.rpartition(b"\r\n\r\n")[2])["size"] == 2


def test_a_response_whose_application_fails_half_way_is_broken_off(server):
    """And Daphne's upkeep goes on: it reports the second failure as it did the first."""
    for _ in range(2):
        with server.connect() as sock:
            request(sock, "GET /break HTTP/1.1\nHost: x\n")
            whole = read_all(sock)
        assert b"half of it" in whole
        assert not whole.endswith(b"0\r\n\r\n")
    assert server.state()["calls"]


# What the server is sent


def test_a_body_of_the_limit_is_taken_in_few_pieces(server):
    body = os.urandom(LIMIT_BYTES)
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nContent-Length: {len(body)}\n", body)
        status, _, answer = response(sock)
    told = json.loads(answer)
    assert (status, told["size"]) == (200, LIMIT_BYTES)
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
    assert told["pieces"] <= 6


def test_a_declared_body_over_the_limit_is_refused_before_any_of_it_is_sent(server):
    calls = server.state()["calls"]
    with server.connect() as sock:
        request(sock, f"POST /upload?a=b HTTP/1.1\nHost: x\nContent-Length: {LIMIT_BYTES + 1}\n")
        assert_too_large(response(sock))
        assert sock.recv(1) == b""
    assert server.state()["calls"] == calls


def test_a_client_that_sends_all_before_it_reads_still_gets_the_413(server):
    before = server.state()["rss"]
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nContent-Length: {40 * MIB}\n")
        sock.sendall(bytes(40 * MIB))
        assert server.state()["rss"] - before < 2 * MIB
        assert_too_large(response(sock))


def test_a_body_that_goes_on_for_ever_ends_the_connection(server):
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nContent-Length: {400 * MIB}\n")
        with pytest.raises(ConnectionError):
            sock.sendall(bytes(400 * MIB))


@pytest.mark.bad_input("a body over 1 MiB and its framing")
def test_a_chunked_body_is_refused_as_soon_as_it_passes_the_limit(server):
    calls = server.state()["calls"]
    with server.connect() as sock:
        request(sock, "POST /upload HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n")
        piece = b"10000\r\n" + bytes(65536) + b"\r\n"
        sock.sendall(piece * 17)  # exactly the limit
        sock.sendall(b"1\r\nx\r\nnonsense instead of a chunk")
        assert_too_large(response(sock))
    assert server.state()["calls"] == calls


def test_a_chunked_body_of_the_limit_is_taken(server):
    with server.connect() as sock:
        request(sock, "POST /upload HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n")
        sock.sendall((b"10000\r\n" + bytes(65536) + b"\r\n") * 17 + b"0\r\n\r\n")
        assert json.loads(response(sock)[2])["size"] == LIMIT_BYTES


def test_a_client_that_asks_first_is_told_413_and_not_to_continue(server):
    with server.connect() as sock:
        request(sock, f"POST /upload HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: {400 * MIB}\n")
        assert_too_large(response(sock))


def test_a_client_that_asks_first_with_a_small_body_is_told_to_continue(server):
    with server.connect() as sock:
        request(sock, "POST /upload HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 2\n")
        assert sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"ok")
        assert json.loads(response(sock)[2])["size"] == 2


@pytest.mark.parametrize("size", [65536, 1], ids=["large frames", "tiny frames"])
def test_reading_pauses_while_an_application_does_not_receive_and_nothing_is_lost(tmp_path, size):
    with running("daphne", tmp_path / "log") as server:
        before = server.state()["rss"]
        writer = server.websocket("/stuck")
        frame = frame_header(2, size) + bytes(size)
        sent = push(writer.sock, frame * max(1, 65536 // len(frame)), 300 * MIB)
        assert sent < 24 * MIB  # the queue and the kernel's buffers, far from all
        assert server.state()["rss"] - before < 8 * MIB
        server.get("/release")
        whole_frames, cut = divmod(sent, len(frame))
        if cut:
            writer.sock.sendall(frame[cut:])
            whole_frames += 1
        writer.send(1, b"how many?")
        assert writer.receive() == (1, str(whole_frames * size).encode())
        writer.close()


def test_what_a_client_sends_before_it_is_accepted_is_bounded(server):
    connects = server.state()["connects"]
    with server.connect() as sock:
        WebSocket(sock, "/slow-accept", wait=False)
        server.until(lambda state: state["connects"] > connects)
        assert push(sock, frame_header(2, 65536) + bytes(65536), 100 * MIB, still_seconds=0.5) < 16 * MIB


def test_pings_of_a_client_that_never_reads_cost_no_memory(server):
    before = server.state()["rss"]
    viewer = server.websocket("/send/800/0")
    server.until(lambda state: state["sent"] > 0)
    server.until_still("sent")
    pings = viewer.frame(9, b"x" * 125) * 1000
    for _ in range(10):
        viewer.sock.sendall(pings)
    assert server.state()["rss"] - before < 2 * MIB
    for _ in range(800):
        opcode, payload = viewer.receive()
        if opcode == 10:
            break
    else:
        opcode, payload = viewer.receive()
    assert (opcode, payload) == (10, b"x" * 125), "the last ping is answered"
    viewer.close()


def test_a_frame_of_1_mib_and_its_header_is_taken(server):
    writer = server.websocket("/echo")
    writer.send(2, bytes(LIMIT_BYTES))
    assert writer.receive() == (1, str(LIMIT_BYTES).encode())
    writer.close()


def test_an_oversized_frame_closes_with_1009_and_costs_no_memory(server):
    before = server.state()["rss"]
    writer = server.websocket("/echo")
    writer.sock.sendall(frame_header(2, 1 << 40))
    with contextlib.suppress(OSError):
        push(writer.sock, bytes(MIB), 20 * MIB)
    opcode, payload = writer.receive()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (8, 1009)
    assert server.state()["rss"] - before < 2 * MIB
    writer.close()


# Closing


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4404])
def test_a_close_code_and_its_reason_arrive_behind_the_last_byte(server, code):
    assert server.websocket(f"/send/4/{code}").receive_to_the_end() == (4 * FRAME_BYTES, (code, "that is all"))


def test_a_viewer_that_needs_seconds_gets_every_byte_before_the_close(server):
    viewer = server.websocket("/send/40/1000", receive_buffer_bytes=65536)
    assert viewer.receive_to_the_end(bytes_per_second=3e6) == (40 * FRAME_BYTES, (1000, "that is all"))


def test_an_application_that_returns_closes_its_socket(server):
    assert server.websocket("/return").receive_to_the_end() == (0, (1000, ""))


def test_the_end_of_a_download_reaches_a_reader_that_needs_seconds(server):
    with server.connect(receive_buffer_bytes=65536) as sock:
        request(sock, "GET /download/24 HTTP/1.0\n")
        total = 0
        while data := sock.recv(65536):
            total += len(data)
            time.sleep(0.02)
    assert total > 24 * FRAME_BYTES


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_viewer_at_100_kb_a_second_gets_every_byte_before_the_close(server):
    viewer = server.websocket("/send/40/1000")  # 10 MB: longer than the ping's and the closing's patience
    assert viewer.receive_to_the_end(bytes_per_second=100e3) == (40 * FRAME_BYTES, (1000, "that is all"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_download_at_50_kb_a_second_is_not_cut_off_by_the_idle_timeout(server):
    with server.connect() as sock:
        request(sock, "GET /download/24 HTTP/1.1\nHost: x\n")
        total, started = 0, time.monotonic()
        while not (data := sock.recv(16384)).endswith(b"\r\n0\r\n\r\n"):
            total += len(data)
            time.sleep(max(0.0, started + total / 50e3 - time.monotonic()))
    assert total + len(data) > 24 * FRAME_BYTES


def test_stopping_the_server_is_not_held_up_by_a_send_that_waits(tmp_path):
    with running("daphne", tmp_path / "log") as server:
        viewer = server.websocket("/send/800/1000")
        with server.connect() as sock:
            request(sock, "GET /download/800 HTTP/1.1\nHost: x\n")
            server.until(lambda state: state["sent"] > 0)
            server.until_still("sent")
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(10)
        viewer.close()
