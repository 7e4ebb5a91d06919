"""Peers that send nonsense, or vanish: what they are told, and that the server comes back to where it was."""

from __future__ import annotations

import contextlib
import json
import struct
import threading
from typing import Any

import pytest

from tests.acceptance.client import entry
from tests.acceptance.guard.servers import frame_header, handshake, push
from tests.acceptance.peers import (
    BINARY,
    PONG,
    SOCKETS,
    TEXT,
    Place,
    intake_frame,
    ping,
    vanish,
)
from tests.acceptance.steady import steady_state

MIB = 1024 * 1024
PINGS = 10_000
VANISHING = 500
MOMENTS = ["before-a-byte", "in-the-head", "in-the-upgrade", "accepted", "in-a-frame"]


@pytest.mark.bad_input("an oversized frame")
def test_an_oversized_frame_closes_with_1009(place: Place) -> None:
    with steady_state(place.server, place.token):
        for kind in SOCKETS:
            peer = place.open(kind)
            with contextlib.suppress(OSError):
                peer.sock.sendall(frame_header(BINARY, 64 * MIB))
                push(peer.sock, bytes(MIB), 16 * MIB, still_seconds=0.2)
            peer.sock.settimeout(20)
            assert peer.ending()[1] == 1009
            peer.close()


def refused(place: Place, kind: str, opcode: int, payload: bytes) -> str:
    """Send a message that is refused with 4400; returns why."""
    peer = place.open(kind)
    peer.send(opcode, payload)
    error, code = peer.ending()
    assert (error["type"], error["status"], code) == ("error", 4400, 4400)
    peer.close()
    return str(error["detail"])


@pytest.mark.bad_input("text where binary is due, and the reverse")
def test_text_where_binary_is_due_and_the_reverse_is_4400(place: Place) -> None:
    frame = intake_frame(place.log["id"], 0, entry(0, b"x"))
    with steady_state(place.server, place.token):
        assert "binary" in refused(place, "intake", TEXT, b'{"type":"snapshot"}')
        for kind in ("log", "build", "project"):
            assert "JSON in text" in refused(place, kind, BINARY, frame)


UNREADABLE = [
    b"",
    b"\0\0\0",
    struct.pack(">I", 2**32 - 1),
    struct.pack(">I", 1000) + b'{"log":1,"offset":0}',
    struct.pack(">I", 0) + b"1:0,",
    struct.pack(">I", 4) + b"\xff\xfe\0\0",
    struct.pack(">I", 2) + b"[]",
    intake_frame(-1, 0),
    intake_frame("1", 0),
    intake_frame(1, 2**64),
]


@pytest.mark.bad_input("a header length beyond the frame")
def test_a_header_that_cannot_be_read_is_4400_and_nothing_is_stored(place: Place) -> None:
    there = place.new_log()
    with steady_state(place.server, place.token):
        for number, frame in enumerate(UNREADABLE):
            peer = place.open("intake")
            peer.send(BINARY, intake_frame(there.log["id"], number, entry(0, b"1")))
            peer.next_of("received")
            peer.send(BINARY, frame)
            error, code = peer.ending()
            assert (error["type"], error["status"], code) == ("error", 4400, 4400)
            assert error["detail"]
            peer.close()
    assert place.writer.http.get(f"/logs/{there.log['id']}").json()["received"] == len(UNREADABLE)


@pytest.mark.bad_input("offsets of others' logs")
def test_others_logs_are_not_found_and_the_socket_stays(place: Place) -> None:
    own, others = place.new_log("mine"), place.new_log("theirs")
    token = place.server.token("--project", "mine")
    mine = Place(place.server, token, place.writer, own.log)
    with steady_state(place.server, place.token):
        peer = mine.open("intake")
        for log_id in (others.log["id"], 2**40):
            for offset in (0, 10**12):
                peer.send(BINARY, intake_frame(log_id, offset, entry(0, b"not yours")))
                error = peer.next_of("error")
                assert (error["problem"], error["log"], error["status"]) == ("not-found", log_id, 404)
                assert "offset" not in error
        peer.send(BINARY, intake_frame(own.log["id"], 10**12, entry(0, b"beyond")))
        gap = peer.next_of("error")
        assert (gap["problem"], gap["offset"]) == ("offset-gap", 0)
        peer.send(BINARY, intake_frame(own.log["id"], 0, entry(0, b"mine")))
        assert peer.next_of("received")["offset"] == 4
        answer = place.writer.http.post(
            f"/logs/{others.log['id']}/chunks",
            content=entry(0, b"not yours"),
            headers={
                "Authorization": f"Bearer {token}",
                "Upload-Offset": "0",
                "Content-Type": "application/vnd.buildlogs.chunks",
            },
        )
        assert answer.status_code == 404
        assert "Upload-Offset" not in answer.headers
        peer.close()
    assert place.writer.http.get(f"/logs/{others.log['id']}").json()["received"] == 0


@pytest.mark.bad_input("an ack beyond what was sent, or backwards")
def test_acks_beyond_what_was_sent_or_backwards_are_4400(place: Place) -> None:
    there = place.new_log()
    there.write(100)
    with steady_state(place.server, place.token):
        for acks in ([101], [50, 49], [100, 0], [2**62], [2**200]):
            peer = there.open("log")
            peer.next_of("live")
            for offset in acks:
                peer.say({"type": "ack", "offset": offset})
            error, code = peer.ending()
            assert (error["status"], code) == (4400, 4400)
            assert str(acks[-1])[:20] in error["detail"]
            peer.close()


@pytest.mark.bad_input("an ack where nothing is acknowledged")
def test_other_sockets_take_no_acks(place: Place) -> None:
    with steady_state(place.server, place.token):
        for kind in ("build", "project", "intake"):
            refused(place, kind, TEXT, b'{"type":"ack","offset":0}')


@pytest.mark.bad_input("10,000 pings")
def test_of_ten_thousand_pings_the_last_is_answered_and_the_socket_goes_on(place: Place) -> None:
    there = place.new_log()
    pings = b"".join(ping(b"%0100d" % number) for number in range(PINGS))
    with steady_state(place.server, place.token):
        for kind in SOCKETS:
            peer = there.open(kind)
            sending = threading.Thread(target=peer.sock.sendall, args=(pings,))
            sending.start()
            numbers = [-1]
            while numbers[-1] < PINGS - 1:  # where many wait, the last one may answer for all (RFC 6455 section 5.5.3)
                opcode, payload = peer.receive()
                if opcode == PONG:
                    numbers.append(int(payload))
            assert numbers == sorted(numbers)
            sending.join()
            there.works(kind, peer)


@pytest.mark.bad_input("connections that open and vanish")
def test_connections_that_vanish_at_any_moment_leave_nothing_behind(place: Place) -> None:
    there = place.new_log()
    there.write(300_000)

    def come_and_go() -> None:
        for number in range(VANISHING // 2):
            leave_at(there, MOMENTS[number % len(MOMENTS)], SOCKETS[number % len(SOCKETS)])

    come_and_go()  # lets the allocator and the pools of threads reach their size
    with steady_state(place.server, place.token):
        come_and_go()
    there.works("log", there.open("log", "?from=tail:0"))


def leave_at(place: Place, moment: str, kind: str) -> None:
    """Open a connection and vanish at that moment."""
    if moment == "before-a-byte":
        vanish(place.connect())
    elif moment == "in-the-head":
        sock = place.connect()
        sock.sendall(b"GET /api/v1/projects HTTP/1.1\r\nHost: 127.0")
        vanish(sock)
    elif moment == "in-the-upgrade":
        sock = place.connect()
        sock.sendall(handshake(place.path(kind), place.headers))
        vanish(sock)
    else:
        peer = place.open(kind)
        if moment == "in-a-frame":
            peer.sock.sendall(frame_header(BINARY, 100_000) + bytes(50_000))
        peer.vanish()


@pytest.mark.slow
@pytest.mark.bad_input("connections that open and vanish")
def test_500_sockets_that_vanish_at_once_leave_nothing_behind(place: Place) -> None:
    there = place.new_log()
    there.write(300_000)
    for memory_bytes in (100 * MIB, 12 * MIB):  # 500 sockets take 25 MiB: once, not each time
        with steady_state(place.server, place.token, memory_bytes=memory_bytes) as watcher:
            peers = [there.open(SOCKETS[number % len(SOCKETS)]) for number in range(VANISHING)]
            assert watcher.look().sockets == VANISHING
            for peer in peers:
                peer.vanish()
    there.works("log", there.open("log", "?from=tail:0"))


@pytest.mark.bad_input("a socket that says goodbye and goes on")
def test_messages_after_a_close_frame_are_dropped(place: Place) -> None:
    message: Any = json.dumps({"type": "snapshot"}).encode()
    with steady_state(place.server, place.token):
        for kind in SOCKETS:
            peer = place.open(kind)
            peer.send(8, struct.pack(">H", 1000))
            with contextlib.suppress(OSError):
                for _ in range(100):
                    peer.send(TEXT, message)
            assert peer.ending()[1] == 1000
            peer.close()
