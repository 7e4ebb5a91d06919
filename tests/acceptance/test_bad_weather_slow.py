"""Peers that read slowly, or not at all: they cost the server next to nothing, and nobody else notices them."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from tests.acceptance.client import entry
from tests.acceptance.guard.servers import frame_header, push
from tests.acceptance.peers import BINARY, CLOSE, TEXT, Place, frame_offsets, intake_frame, lines, vanish
from tests.acceptance.scrape import scrape, scrape_until
from tests.acceptance.steady import steady_state

MIB = 1024 * 1024
WRITTEN_BYTES = 24_000_000
DURING_BYTES = 12 * MIB
"""What slow peers may cost while they are there: half of what is written meanwhile, and they are several."""

SMALL_BUFFER_BYTES = 64 * 1024
WINDOW_BYTES = MIB
UNREAD_FRAMES = 200_000


def read_a_byte_a_second(connections: list[socket.socket], stop: threading.Event) -> int:
    """Do that until told to stop; returns how many bytes each has read."""
    taken = 0
    while not stop.wait(1.0):
        for connection in connections:
            assert len(connection.recv(1)) == 1
        taken += 1
    return taken


@pytest.mark.bad_input("a viewer that reads a byte a second")
def test_viewers_that_read_a_byte_a_second_cost_nothing_and_hold_up_nobody(place: Place) -> None:
    there = place.new_log()
    follow = f"/api/v1/logs/{there.log['id']}/raw?follow=1"
    with steady_state(place.server, place.token) as watcher:
        slow = [
            there.open("log", f"?window={window}", receive_buffer_bytes=SMALL_BUFFER_BYTES).sock
            for window in (0, 4 * MIB)
        ] + [there.get(follow, receive_buffer_bytes=SMALL_BUFFER_BYTES)]
        stop = threading.Event()
        reading = threading.Thread(target=read_a_byte_a_second, args=(slow, stop))
        reading.start()
        other = there.open("log", "?window=0")
        read: list[tuple[int, int]] = []
        other_reading = threading.Thread(target=lambda: read.append(other.text_to_the_end()))
        other_reading.start()
        there.write(WRITTEN_BYTES)
        assert place.writer.finish(there.log["id"]).status_code == 200
        other_reading.join(20)
        assert read == [(WRITTEN_BYTES, 1000)]
        assert scrape(place.server, place.token)("buildlogs_slowest_viewer_lag_bytes") > WRITTEN_BYTES / 3
        assert watcher.grown_bytes() < DURING_BYTES
        stop.set()
        reading.join()
        other.close()
        for connection in slow:
            vanish(connection)


@pytest.mark.bad_input("a viewer that acknowledges everything and reads nothing")
def test_a_viewer_that_acknowledges_everything_and_reads_nothing_is_held_by_its_transport(place: Place) -> None:
    there = place.new_log()
    there.write(WRITTEN_BYTES)
    with steady_state(place.server, place.token) as watcher:
        peer = there.open("log", f"?window={WINDOW_BYTES}", receive_buffer_bytes=SMALL_BUFFER_BYTES)
        sent, still = 0, 0
        while still < 10:
            now = WRITTEN_BYTES - int(scrape(place.server, place.token)("buildlogs_slowest_viewer_lag_bytes"))
            still = still + 1 if now == sent else 0
            sent = now
            peer.say({"type": "ack", "offset": sent})
            time.sleep(0.05)
        assert WINDOW_BYTES < sent < WRITTEN_BYTES
        assert watcher.grown_bytes() < DURING_BYTES
        peer.say({"type": "ack", "offset": WRITTEN_BYTES})
        got = 0
        while True:
            opcode, payload = peer.receive()
            if opcode == BINARY:
                start, length = frame_offsets(payload)
                assert start == got
                got += length
            elif opcode == TEXT and (error := json.loads(payload))["type"] == "error":
                assert error["status"] == 4400
            elif opcode == CLOSE:
                break
        assert abs(got - sent) < 2 * WINDOW_BYTES
        assert int.from_bytes(payload[:2]) == 4400
        peer.close()


@pytest.mark.slow
@pytest.mark.bad_input("a writer that never reads its acknowledgements")
def test_a_writer_that_never_reads_is_not_read_from_any_more_and_loses_nothing(place: Place) -> None:
    there = place.new_log()
    refused = intake_frame(there.log["id"], 10**6, entry(0, b"beyond " * 80))
    message = frame_header(BINARY, len(refused)) + refused
    with steady_state(place.server, place.token, memory_bytes=2 * DURING_BYTES) as watcher:
        peer = there.open("intake", receive_buffer_bytes=SMALL_BUFFER_BYTES)
        pushed = push(peer.sock, message, UNREAD_FRAMES * len(message), still_seconds=1.0)
        whole = pushed // len(message)
        print(f"{whole} frames were taken, {watcher.grown_bytes() / MIB:.1f} MiB more meanwhile")
        assert whole < UNREAD_FRAMES, "the server went on reading"
        assert watcher.grown_bytes() < 2 * DURING_BYTES
        peer.sock.settimeout(20)
        rest = message[pushed % len(message) :] if pushed % len(message) else b""
        answering = threading.Thread(target=peer.sock.sendall, args=(rest,))
        answering.start()
        for _ in range(whole + bool(rest)):
            assert peer.next_message()["problem"] == "offset-gap"
        answering.join()
        peer.close()


@pytest.mark.bad_input("a writer that never reads its acknowledgements")
def test_what_a_writer_sent_that_never_reads_is_stored(place: Place) -> None:
    there = place.new_log()
    size = 900_000
    with steady_state(place.server, place.token) as watcher:
        peer = there.open("intake", receive_buffer_bytes=SMALL_BUFFER_BYTES)
        for offset in range(0, WRITTEN_BYTES, size):
            length = min(size, WRITTEN_BYTES - offset)
            wait_for(place, there.log["id"], offset - 3 * MIB)
            peer.send(BINARY, intake_frame(there.log["id"], offset, lines(length)))
        wait_for(place, there.log["id"], WRITTEN_BYTES)
        assert watcher.grown_bytes() < DURING_BYTES
        peer.vanish()


def wait_for(place: Place, log_id: int, received: int) -> None:
    """Wait until so much of the log is stored."""
    if received > 0:
        scrape_until(
            place.server,
            place.token,
            lambda _: place.writer.http.get(f"/logs/{log_id}").json()["received"] >= received,
            seconds=30,
        )
