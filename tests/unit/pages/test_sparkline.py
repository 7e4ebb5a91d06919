from __future__ import annotations

import re

from logviewer.pages.sparkline import EDGE_PX, HEIGHT_PX, WIDTH_PX, sparkline
from logviewer.pages.trends import Run


def points_of(drawing: str) -> list[tuple[int, int]]:
    found = re.search(r'points="([^"]*)"', drawing)
    assert found is not None
    pairs = (point.split(",") for point in found[1].split())
    return [(int(x), int(y)) for x, y in pairs]


def test_the_median_is_the_middle_and_twice_of_it_the_top() -> None:
    runs = [Run("success", seconds) for seconds in (60.0, 60.0, 30.0, 600.0, 0.0)]
    drawing = sparkline(runs)
    heights = [y for _, y in points_of(drawing)]
    assert heights == [12, 12, 17, EDGE_PX, HEIGHT_PX - EDGE_PX]
    assert points_of(drawing)[-1][0] == WIDTH_PX - EDGE_PX
    assert "<desc>from 0s to 10m 00s, median 1m 00s</desc>" in drawing


def test_only_what_went_through_is_drawn_and_one_is_no_line() -> None:
    runs = [Run("success", 10.0), Run("failure", 1.0), Run("warnings", 10.0), Run("running", None)]
    assert len(points_of(sparkline(runs))) == 2
    assert "the last 2 that passed" in sparkline(runs)
    assert sparkline(runs[:2]) == ""
    assert sparkline([]) == ""


def test_steps_that_take_no_time_are_a_flat_line() -> None:
    assert {y for _, y in points_of(sparkline([Run("success", 0.0)] * 3))} == {12}
