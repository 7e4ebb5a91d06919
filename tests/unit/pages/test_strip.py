from __future__ import annotations

from datetime import UTC, datetime, timedelta

from logviewer.models import Build, Builder, Project
from logviewer.pages.strip import LONGEST_BAR_PX, SHORTEST_BAR_PX, strip_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BUILDER = Builder(slug="linux", project=Project(slug="demo"))


def make_finished(number: int, results: str, seconds: int) -> Build:
    start = NOW - timedelta(hours=1)
    finish = start + timedelta(seconds=seconds)
    return Build(
        builder=BUILDER, number=number, state="finished", results=results, started_at=start, finished_at=finish
    )


def test_the_longest_build_has_the_longest_bar_and_a_failure_is_marked() -> None:
    strip = strip_of([make_finished(1, "success", 10), make_finished(2, "failure", 0)], NOW)
    assert [bar.height for bar in strip.bars] == [LONGEST_BAR_PX, SHORTEST_BAR_PX]
    assert [bar.is_marked for bar in strip.bars] == [False, True]
    assert strip.summary == "last 2 builds: 1 failure, 1 success"


def test_the_newest_build_stands_at_the_right_end_and_no_more_than_thirty_are_drawn() -> None:
    one = strip_of([make_finished(1, "success", 10)], NOW)
    many = strip_of([make_finished(number, "success", 10) for number in range(1, 41)], NOW)
    assert one.bars[-1].x == many.bars[-1].x
    assert len(many.bars) == 30
    assert many.bars[0].label == "#11 success, 10s"


def test_an_abandoned_build_is_counted_to_its_last_sign_of_life() -> None:
    build = make_finished(1, "success", 10)
    build.state, build.results, build.finished_at = "abandoned", None, None
    build.heartbeat_at = build.started_at + timedelta(seconds=90)
    assert strip_of([build], NOW).bars[0].label == "#1 abandoned, 1m 30s"
