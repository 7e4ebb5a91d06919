from __future__ import annotations

from logviewer.insight.flood import FLOOD_BYTES_PER_SECOND, WINDOW_SECONDS, Flood


class Intake:
    def __init__(self) -> None:
        self.seconds = 100.0
        self.received = 0

    def goes_on(self, seconds: float, bytes_per_second: float) -> None:
        self.seconds += seconds
        self.received += int(seconds * bytes_per_second)


def flood_of(intake: Intake) -> Flood:
    return Flood(lambda: intake.received, lambda: intake.seconds)


def test_it_is_on_while_more_comes_than_a_build_prints_by_itself() -> None:
    intake = Intake()
    flood = flood_of(intake)
    intake.goes_on(2 * WINDOW_SECONDS, 0.9 * FLOOD_BYTES_PER_SECOND)
    assert not flood.is_on()
    intake.goes_on(2 * WINDOW_SECONDS, 1.1 * FLOOD_BYTES_PER_SECOND)
    assert flood.is_on()
    intake.goes_on(2 * WINDOW_SECONDS, 0)
    assert not flood.is_on()


def test_a_piece_within_a_window_is_no_flood_by_itself() -> None:
    intake = Intake()
    flood = flood_of(intake)
    intake.goes_on(10, 0)
    flood.is_on()
    intake.goes_on(WINDOW_SECONDS / 10, 10 * FLOOD_BYTES_PER_SECOND)
    assert not flood.is_on()
    intake.goes_on(2 * WINDOW_SECONDS, 0)
    assert not flood.is_on()


def test_what_came_before_a_long_pause_does_not_count_after_it() -> None:
    intake = Intake()
    flood = flood_of(intake)
    intake.goes_on(1, 2 * FLOOD_BYTES_PER_SECOND)
    assert flood.is_on()
    intake.goes_on(60, 0)
    assert not flood.is_on()
