"""A disk that fills in the middle of a stream: writers are told, wait, go on, and nobody misses a byte."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator

import pytest

from tests.acceptance.client import entry
from tests.acceptance.peers import BINARY, Place, intake_frame
from tests.acceptance.steady import steady_state

MIB = 1024 * 1024
FULL_AT_BYTES = 20 * MIB
"""More than the server's database and its log come to, and what it was warmed up with."""

PIECE_BYTES = 1_000_000
WRITTEN_BYTES = 30 * PIECE_BYTES


@pytest.fixture
def full(daphne_place: Place) -> Iterator[Place]:
    """The disk is full from FULL_AT_BYTES of each file on: the error is EFBIG, as of a quota."""
    before = resource.prlimit(daphne_place.server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daphne_place.server.pid, resource.RLIMIT_FSIZE, (FULL_AT_BYTES, before[1]))
    yield daphne_place
    make_room(daphne_place)


def make_room(place: Place) -> None:
    """There is room again."""
    _, most = resource.prlimit(place.server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(place.server.pid, resource.RLIMIT_FSIZE, (most, most))


def watch(place: Place) -> tuple[threading.Thread, list[tuple[int, int]]]:
    """A viewer from the start; what it has read to the end is in the list once the thread has ended."""
    viewer = place.open("log", "?window=0")
    read: list[tuple[int, int]] = []

    def watch_to_the_end() -> None:
        read.append(viewer.text_to_the_end())
        viewer.close()

    thread = threading.Thread(target=watch_to_the_end)
    thread.start()
    return thread, read


@pytest.mark.bad_input("a disk that fills")
def test_a_post_on_a_full_disk_is_507_and_goes_on_when_there_is_room(full: Place) -> None:
    there = full.new_log()
    with steady_state(full.server, full.token):
        watching, read = watch(there)
        offset, refused = 0, 0
        while offset < WRITTEN_BYTES:
            answer = there.writer.chunks(there.log["id"], entry(0, b"d" * PIECE_BYTES), offset)
            if answer.status_code != 200:
                assert (answer.status_code, answer.json()["type"]) == (507, "storage-full")
                assert there.writer.http.get(f"/logs/{there.log['id']}").json()["received"] == offset
                assert there.writer.http.get(f"/logs/{there.log['id']}").json()["state"] == "open"
                refused += 1
                if refused == 3:
                    make_room(full)
            else:
                offset = answer.json()["received"]
        assert refused == 3
        finish(there)
        watching.join(20)
        assert read == [(WRITTEN_BYTES, 1000)]


@pytest.mark.bad_input("a disk that fills")
def test_a_frame_on_a_full_disk_is_an_error_and_the_socket_goes_on_when_there_is_room(full: Place) -> None:
    there = full.new_log()
    with steady_state(full.server, full.token):
        watching, read = watch(there)
        peer = there.open("intake")
        offset, refused = 0, 0
        while offset < WRITTEN_BYTES:
            peer.send(BINARY, intake_frame(there.log["id"], offset, entry(0, b"d" * PIECE_BYTES)))
            answer = peer.next_message()
            if answer["type"] == "error":
                assert (answer["problem"], answer["log"]) == ("storage-full", there.log["id"])
                refused += 1
                if refused == 3:
                    make_room(full)
            else:
                assert answer["offset"] == offset + PIECE_BYTES
                offset = answer["offset"]
        assert refused == 3
        peer.close()
        finish(there)
        watching.join(20)
        assert read == [(WRITTEN_BYTES, 1000)]


@pytest.mark.bad_input("a disk that fills")
def test_small_writes_of_other_logs_go_on_meanwhile(full: Place) -> None:
    there, other = full.new_log(), full.new_log()
    there.write(20 * PIECE_BYTES)
    answer = there.writer.chunks(there.log["id"], entry(0, b"d" * PIECE_BYTES), 20 * PIECE_BYTES)
    assert answer.status_code == 507
    assert other.writer.chunks(other.log["id"], entry(0, b"small"), 0).json() == {"received": 5}


def finish(place: Place) -> None:
    answer = place.writer.finish(place.log["id"], received=WRITTEN_BYTES)
    assert answer.status_code == 200, answer.text
