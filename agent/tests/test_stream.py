"""A log's way through the socket, told step by step: what is sent when, and when it is done."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from buildlogs_agent.errors import Refused, SocketUnavailable
from buildlogs_agent.spool import Spool
from buildlogs_agent.stream import ANSWER_SECONDS, MAX_OUTPUT_FRAME_BYTES, NEVER, Listener, OutputStream
from buildlogs_agent.wire import STDOUT, Piece

ROOM = MAX_OUTPUT_FRAME_BYTES
NOW = 1000.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def stream_of(spool: Spool, offset: int = 0, probe: bool = False) -> OutputStream:
    return OutputStream(7, spool, offset, probe, Listener(lambda: None, lambda reason: None))


def write(spool: Spool, data: bytes) -> None:
    spool.append([Piece(STDOUT, 1, data)])


def header_of(frame: bytes | None) -> dict[str, Any]:
    assert frame is not None
    (length,) = struct.unpack_from(">I", frame)
    return dict(json.loads(frame[4 : 4 + length]))


def test_the_first_output_is_due_at_once_and_the_next_after_the_flush_interval(spool: Spool) -> None:
    stream = stream_of(spool)
    assert stream.due_at(NOW) == NEVER
    write(spool, b"one\n")
    assert stream.due_at(NOW) == NOW
    assert header_of(stream.next_frame(NOW, ROOM)) == {"log": 7, "offset": 0}
    stream.received(4, 250, NOW)
    write(spool, b"two\n")
    assert NOW < stream.due_at(NOW) <= NOW + 0.25
    assert stream.next_frame(NOW, ROOM) is None
    assert header_of(stream.next_frame(NOW + 0.25, ROOM)) == {"log": 7, "offset": 4}


def test_64_kib_do_not_wait(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    stream.next_frame(NOW, ROOM)
    write(spool, b"x" * 65536)
    assert stream.due_at(NOW) == NOW


def test_a_close_after_the_last_acknowledgement_ends_it(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    stream.next_frame(NOW, ROOM)
    stream.received(4, 20, NOW)
    assert not stream.wait(0)
    spool.close()
    stream.end_if_done()
    assert stream.wait(0)


def test_a_close_before_it_ends_it_with_the_acknowledgement(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    spool.close()
    stream.next_frame(NOW, ROOM)
    stream.end_if_done()
    assert not stream.wait(0)
    stream.received(4, 20, NOW)
    assert stream.wait(0)


def test_in_doubt_it_asks_first_and_goes_on_from_the_answer(spool: Spool) -> None:
    write(spool, b"0123456789")
    write(spool, b"abcdef")
    stream = stream_of(spool, 4, probe=True)
    assert header_of(stream.next_frame(NOW, ROOM)) == {"log": 7, "offset": 0}
    assert stream.next_frame(NOW, ROOM) is None
    stream.received(10, 20, NOW)
    assert header_of(stream.next_frame(NOW, ROOM)) == {"log": 7, "offset": 10}


@pytest.mark.parametrize("received", [0, 7])
def test_a_server_that_lost_acknowledged_bytes_gets_them_again(spool: Spool, received: int) -> None:
    write(spool, b"0123456789")
    stream = stream_of(spool)
    stream.next_frame(NOW, ROOM)
    stream.received(10, 20, NOW)
    write(spool, b"abcdef")
    stream.next_frame(NOW + 1, ROOM)
    stream.refused({"problem": "offset-gap", "offset": received}, NOW + 1)
    assert header_of(stream.next_frame(NOW + 1, ROOM)) == {"log": 7, "offset": 0}  # the probe
    stream.refused({"problem": "offset-gap", "offset": received}, NOW + 1)  # for a frame that was under way
    stream.received(received, 20, NOW + 1)
    assert stream.acknowledged == received
    assert header_of(stream.next_frame(NOW + 2, ROOM)) == {"log": 7, "offset": 0}  # the unit that holds it
    stream.received(16, 20, NOW + 2)
    spool.close()
    stream.end_if_done()
    assert stream.wait(0)


def test_what_is_not_acknowledged_in_time_ends_the_connection(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    stream.next_frame(NOW, ROOM)
    write(spool, b"two\n")
    stream.next_frame(NOW + ANSWER_SECONDS / 2, ROOM)  # which grants the first no more time
    with pytest.raises(SocketUnavailable):
        stream.next_frame(NOW + ANSWER_SECONDS, ROOM)


def test_after_a_refusal_that_may_pass_an_answer_is_waited_for_no_longer_than_else(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    stream.next_frame(NOW, ROOM)
    stream.refused({"problem": "storage-full", "status": 507}, NOW)
    assert NOW < stream.due_at(NOW) < NOW + 1
    assert stream.next_frame(NOW, ROOM) is None
    assert header_of(stream.next_frame(NOW + 1, ROOM)) == {"log": 7, "offset": 0}
    assert stream.due_at(NOW + 1) == NOW + 1 + ANSWER_SECONDS


def test_more_than_was_written_is_no_answer(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    stream.next_frame(NOW, ROOM)
    stream.received(5, 20, NOW)
    with pytest.raises(Refused):
        stream.wait(0)


def test_a_detached_stream_reads_nothing(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    stream.detach()
    spool.leave()
    assert stream.next_frame(NOW, ROOM) is None


def test_no_frame_exceeds_its_room(spool: Spool) -> None:
    stream = stream_of(spool)
    for _ in range(40):
        write(spool, b"x" * 65536)
    for room in (ROOM, 300_000, 70_000):
        frame = stream.next_frame(NOW, room)
        assert frame is not None
        assert room - 70_000 < len(frame) <= room
    assert stream.next_frame(NOW, 60_000) is None
    assert ROOM < stream.in_flight_bytes <= ROOM + 370_000


def test_a_server_that_answers_late_gets_fewer_and_bigger_frames(spool: Spool) -> None:
    stream = stream_of(spool)
    write(spool, b"one\n")
    stream.next_frame(NOW, ROOM)
    write(spool, b"two\n")
    assert header_of(stream.next_frame(NOW + 0.1, ROOM)) == {"log": 7, "offset": 4}  # it may still answer in time
    write(spool, b"three\n")
    assert stream.next_frame(NOW + 0.5, ROOM) is None
    assert stream.due_at(NOW + 0.5) > NOW + 1
    write(spool, b"four\n")
    stream.received(8, 20, NOW + 1)
    frame = stream.next_frame(NOW + 1, ROOM)
    assert header_of(frame) == {"log": 7, "offset": 8}
    assert b"three\n" in (frame or b"")
    assert b"four\n" in (frame or b"")
