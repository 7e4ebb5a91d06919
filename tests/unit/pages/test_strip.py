from __future__ import annotations

from datetime import UTC, datetime, timedelta

from logviewer.models import Build, Builder, Project
from logviewer.pages.strip import CHART, SHORT_CHART, SHORTEST_BAR_PX, STRIP, chart_of, strip_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
URL = "/p/demo/linux/"
BUILDER = Builder(slug="linux", project=Project(slug="demo"))


def make_finished(number: int, results: str, seconds: int) -> Build:
    start = NOW - timedelta(hours=1)
    finish = start + timedelta(seconds=seconds)
    return Build(
        builder=BUILDER, number=number, state="finished", results=results, started_at=start, finished_at=finish
    )


def test_the_longest_build_has_the_longest_bar_and_a_failure_is_marked() -> None:
    strip = strip_of([make_finished(1, "success", 10), make_finished(2, "failure", 0)], NOW, URL)
    assert [bar.height for bar in strip.bars] == [STRIP.bar_px, SHORTEST_BAR_PX]
    assert ['class="mark"' in bar.drawn(STRIP, has_tab_stop=False) for bar in strip.bars] == [False, True]
    assert strip.summary == "last 2 builds: 1 failure, 1 success"


def test_a_build_that_hung_does_not_flatten_the_others() -> None:
    builds = [*(make_finished(number, "success", 10) for number in (1, 2, 3)), make_finished(4, "failure", 9000)]
    assert [bar.height for bar in strip_of(builds, NOW, URL).bars] == [11, 11, 11, 22]


def test_builds_that_took_no_time_have_bars() -> None:
    strip = strip_of([make_finished(1, "success", 0)], NOW, URL, CHART)
    assert [bar.height for bar in strip.bars] == [SHORTEST_BAR_PX]
    assert strip.median == SHORTEST_BAR_PX


def test_the_newest_build_stands_at_the_right_end_and_no_more_than_thirty_are_drawn() -> None:
    one = strip_of([make_finished(1, "success", 10)], NOW, URL)
    many = strip_of([make_finished(number, "success", 10) for number in range(1, 41)], NOW, URL)
    assert one.bars[-1].place == many.bars[-1].place
    assert len(many.bars) == 30
    assert many.bars[0].label == "#11 success, 10s"


def test_failures_exceptions_warnings_and_abandoned_builds_differ_by_shape() -> None:
    builds = [make_finished(number, word, 10) for number, word in enumerate(("failure", "exception", "warnings"), 1)]
    builds.append(Build(builder=BUILDER, number=4, state="abandoned", started_at=NOW, heartbeat_at=NOW))
    drawn = [bar.drawn(STRIP, has_tab_stop=False) for bar in strip_of(builds, NOW, URL).bars]
    assert len({bar.split(' d="')[1].split('"')[0] for bar in drawn}) == 4


def test_a_strip_has_one_tab_stop_and_a_link_with_words_for_each_build() -> None:
    drawing = strip_of([make_finished(number, "success", 10) for number in (7, 8)], NOW, URL).drawing
    assert '<a href="/p/demo/linux/7/" class="is-success" tabindex="-1"><title>#7 success, 10s</title>' in drawing
    assert '<a href="/p/demo/linux/8/" class="is-success" tabindex="0">' in drawing
    assert 'aria-label="last 2 builds: 2 success"' in drawing
    assert "<a " not in strip_of([], NOW, URL).drawing


def test_the_chart_has_a_line_at_the_median_of_what_passed() -> None:
    builds = [make_finished(1, "success", 10), make_finished(2, "success", 30), make_finished(3, "failure", 20)]
    chart = strip_of(builds, NOW, URL, CHART)
    assert chart.median == chart.bars[2].height
    assert 'class="median"' in chart.drawing
    assert 'class="median"' not in strip_of(builds[2:], NOW, URL, CHART).drawing


def test_a_chart_has_room_for_sixty_builds_and_few_are_drawn_larger() -> None:
    builds = [make_finished(number, "success", 10) for number in range(1, 71)]
    assert len(chart_of(builds, NOW, URL).bars) == 60
    assert chart_of(builds[:30], NOW, URL).form is SHORT_CHART


def test_an_abandoned_build_is_counted_to_its_last_sign_of_life() -> None:
    build = make_finished(1, "success", 10)
    build.state, build.results, build.finished_at = "abandoned", None, None
    build.heartbeat_at = build.started_at + timedelta(seconds=90)
    assert strip_of([build], NOW, URL).bars[0].label == "#1 abandoned, 1m 30s"
