"""A clock that somebody sets while logs are written and watched."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.acceptance.client import entry
from tests.acceptance.peers import BINARY, Place, frame_offsets, intake_frame, make_place
from tests.acceptance.scrape import scrape, scrape_until
from tests.acceptance.server import running_server
from tests.acceptance.steady import steady_state

HOUR, DAY = 3600, 86400
JUMPS = [0, -HOUR, HOUR, -3 * DAY, 2 * DAY, -30 * 365 * DAY, 0]
"""How far the wall clock is off, in seconds, one after the other."""

CLOCK_TOLERANCE_SECONDS = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server whose clock is set by the file `clock`; it seals what is finished."""
    with running_server(tmp_path_factory.mktemp("clock"), application="tests.acceptance.jumping:application") as server:
        yield make_place(server)


def set_clock(place: Place, off_by_seconds: int) -> None:
    new = place.server.data_dir / "clock.new"
    new.write_text(str(off_by_seconds))
    new.rename(place.server.data_dir / "clock")


@pytest.mark.bad_input("a clock that jumps")
def test_viewers_and_writers_go_on_over_every_jump_and_times_are_the_clocks(place: Place) -> None:
    there = place.new_log()
    with steady_state(place.server, place.token):
        viewer, writer = there.open("log"), there.open("intake")
        said, expected = [], b""
        for number, off in enumerate(JUMPS):
            set_clock(place, off)
            line = b"%d: off by %d\n" % (number, off)
            if number % 2:
                writer.send(BINARY, intake_frame(there.log["id"], len(expected), entry(0, line)))
                assert writer.next_of("received")["offset"] == len(expected) + len(line)
            else:
                assert there.writer.chunks(there.log["id"], entry(0, line), len(expected)).status_code == 200
            payload = receive_frame(viewer)
            start, length = frame_offsets(payload)
            assert (start, payload[-length:]) == (len(expected), line)
            expected += line
            said.append(time.time() + off)
        assert there.writer.finish(there.log["id"], received=len(expected)).status_code == 200
        assert viewer.next_of("logFinished")["size"] == len(expected)
        viewer.say({"type": "ack", "offset": len(expected)})
        assert viewer.ending()[1] == 1000
        viewer.close()
        writer.close()
    scrape_until(place.server, place.token, lambda _: get(there, "")["sealed"], seconds=30)
    told = get(there, "/lines")["lines"]
    assert [line["runs"] for line in told] == [[[0, text]] for text in expected.decode().splitlines()]
    for line, clock in zip(told, said, strict=True):
        assert abs(line["t"] / 1000 - clock) < CLOCK_TOLERANCE_SECONDS
    gaps = get(there, "/marks")["gaps"]
    assert all(gap["seconds"] >= 0 for gap in gaps)
    assert there.writer.http.get(f"/logs/{there.log['id']}/raw").content == expected
    page = there.writer.http.get(f"/logs/{there.log['id']}/chunks").content
    copy = place.new_log()
    assert copy.writer.chunks(copy.log["id"], page, 0).json() == {"received": len(expected)}
    assert there.writer.http.get(f"/logs/{copy.log['id']}/lines").json()["lines"] == told


def get(place: Place, path: str) -> dict:
    answer = place.writer.http.get(f"/logs/{place.log['id']}{path}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def receive_frame(viewer) -> bytes:
    """The next frame, without the JSON that comes before it."""
    while True:
        opcode, payload = viewer.receive()
        if opcode == BINARY:
            return payload


@pytest.mark.bad_input("a clock that jumps")
def test_nobody_is_turned_away_for_a_clock_that_jumped(place: Place) -> None:
    for off in JUMPS:
        set_clock(place, off)
        for _ in range(20):
            assert place.writer.http.get(f"/logs/{place.log['id']}").status_code == 200
        metrics = scrape(place.server, place.token)
        assert metrics("buildlogs_event_loop_lag_seconds_sum") < HOUR / 2


@pytest.mark.bad_input("a clock that jumps")
def test_a_build_goes_on_and_is_finished_by_a_clock_that_went_back(place: Place) -> None:
    set_clock(place, 2 * DAY)
    log = place.writer.new_log()
    set_clock(place, -2 * DAY)
    assert place.writer.chunks(log["id"], entry(0, b"later\n"), 0).status_code == 200
    assert place.writer.finish(log["id"], received=6).status_code == 200
    build = place.writer.post(f"/builds/{log['build']}/finish", {"results": "success"})
    assert build["state"] == "finished"
    set_clock(place, 0)
    page = place.writer.http.get(f"{place.server.url}{build['url']}" if build["url"].startswith("/") else build["url"])
    assert page.status_code == 200
