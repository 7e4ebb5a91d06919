"""Lines of two channels are not torn, and nothing waits for longer than it may."""

from __future__ import annotations

from buildlogs_agent.lines import HOLD_US, MAX_HELD_BYTES, LineHolder
from buildlogs_agent.wire import Piece
from hypothesis import given
from hypothesis import strategies as st


def said(pieces: list[Piece]) -> list[tuple[int, bytes]]:
    return [(piece.channel, bytes(piece.data)) for piece in pieces]


def test_a_whole_line_passes_at_once() -> None:
    lines = LineHolder()
    assert said(lines.take(0, 10, b"one\ntwo\n")) == [(0, b"one\ntwo\n")]
    assert lines.deadline_us is None


def test_an_unfinished_line_lets_the_other_channel_pass() -> None:
    lines = LineHolder()
    assert said(lines.take(0, 10, b"whole\nunfin")) == [(0, b"whole\n")]
    assert said(lines.take(1, 20, b"error\n")) == [(1, b"error\n")]
    assert said(lines.take(0, 30, b"ished\n")) == [(0, b"unfin"), (0, b"ished\n")]


def test_an_unfinished_line_goes_after_100_ms() -> None:
    lines = LineHolder()
    lines.take(0, 10, b"prompt> ")
    assert lines.deadline_us == 10 + HOLD_US
    assert lines.expire(9 + HOLD_US) == []
    assert said(lines.expire(10 + HOLD_US)) == [(0, b"prompt> ")]


def test_more_of_an_unfinished_line_does_not_prolong_its_wait() -> None:
    lines = LineHolder()
    lines.take(0, 10, b".")
    lines.take(0, 90_000, b".")
    assert said(lines.expire(10 + HOLD_US)) == [(0, b"..")]


def test_a_long_unfinished_line_is_not_kept_in_memory() -> None:
    lines = LineHolder()
    lines.take(0, 10, b"x" * MAX_HELD_BYTES)
    assert said(lines.take(0, 11, b"y")) == [(0, b"x" * MAX_HELD_BYTES + b"y")]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 300_000), st.binary(min_size=1, max_size=40)), max_size=60))
def test_nothing_is_lost_and_times_never_go_back(arrivals: list[tuple[int, int, bytes]]) -> None:
    lines, now, out = LineHolder(), 0, []
    for channel, delay, data in arrivals:
        now += delay
        out += lines.expire(now) + lines.take(channel, now, data)
    out += lines.flush()
    for channel in (0, 1):
        sent = b"".join(data for number, _, data in arrivals if number == channel)
        assert b"".join(piece.data for piece in out if piece.channel == channel) == sent
    times = [piece.time_us for piece in out]
    assert times == sorted(times)
