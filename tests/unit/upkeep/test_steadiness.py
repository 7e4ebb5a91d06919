"""Clocks that are set."""

from __future__ import annotations

from logviewer.upkeep.steadiness import DISTRUST_SECONDS, Steadiness


class Clocks:
    wall = 1_000_000.0
    own = 500.0

    def go(self, seconds: float, *, by_wall: float | None = None) -> None:
        self.own += seconds
        self.wall += seconds if by_wall is None else by_wall


def test_a_clock_that_was_set_is_not_believed_for_an_hour() -> None:
    clocks = Clocks()
    steadiness = Steadiness(lambda: clocks.wall, lambda: clocks.own)
    clocks.go(7200)
    assert steadiness.note()
    clocks.go(2, by_wall=86_400 * 400)
    assert not steadiness.note()
    clocks.go(DISTRUST_SECONDS / 2)
    assert not steadiness.note()
    clocks.go(DISTRUST_SECONDS / 2 + 1)
    assert steadiness.note()
    clocks.go(2, by_wall=-86_400)
    assert not steadiness.note()


def test_a_clock_that_is_slewed_is_believed() -> None:
    clocks = Clocks()
    steadiness = Steadiness(lambda: clocks.wall, lambda: clocks.own)
    for _ in range(100):
        clocks.go(10, by_wall=15)
        assert steadiness.note()
