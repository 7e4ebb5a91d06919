from __future__ import annotations

import pytest

from logviewer.pages.trends import Change, Run, change_of, median_seconds, pass_rate


def passed(*seconds: float) -> list[Run]:
    return [Run("success", each) for each in seconds]


def test_the_usual_duration_is_the_median_of_what_went_through() -> None:
    runs = [*passed(10, 30), Run("warnings", 20), Run("failure", 1), Run("cancelled", 2), Run("running", None)]
    assert median_seconds(runs) == 20
    assert median_seconds([Run("failure", 5)]) is None
    assert median_seconds([]) is None


def test_the_pass_rate_counts_what_came_to_a_verdict() -> None:
    words = ["success"] * 26 + ["warnings", "failure", "exception"]
    others = ["running", "abandoned", "cancelled", "skipped", "retry", "finished"]
    rate = pass_rate(Run(word, 1.0) for word in words + others)
    assert rate is not None
    assert rate.text == "27 of 29"
    assert not rate.is_whole
    assert pass_rate([Run("running", None)]) is None


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (100, 132, "32 % slower"),
        (100, 60, "40 % faster"),
        (100, 109, "steady"),
        (100, 350, "3.5 times as long"),
        (2.0, 2.9, "steady"),
        (0.0, 4.0, "40.0 times as long"),
        (0.0, 0.0, "steady"),
        (4.0, 0.0, "98 % faster"),
    ],
)
def test_a_change_is_told_in_words(before: float, now: float, text: str) -> None:
    assert Change(before, now).text == text


def test_the_newest_five_are_compared_with_those_before() -> None:
    assert change_of(passed(10, 10, 10, 10, 10, 10, 30, 30, 30, 10)) == Change(10, 30)
    assert change_of(passed(10, 10, 10, 10, 10, 10, 10, 30, 30, 10)) == Change(10, 10)


def test_what_failed_is_no_trend_and_neither_are_nine_runs() -> None:
    assert change_of(passed(*[10.0] * 9)) is None
    assert change_of([*passed(*[10.0] * 9), Run("failure", 90.0), Run("running", None)]) is None
    assert change_of([]) is None
