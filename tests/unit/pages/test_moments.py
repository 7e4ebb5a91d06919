from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logviewer.pages.moments import Elapsed, age_text, duration_text

# The browser's words are put to the same table in tests/javascript/moments.test.js.
TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "javascript" / "moments.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("seconds", "text"), TABLE["durations"])
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("then", "text"), TABLE["ages"])
def test_an_age_is_said_in_its_largest_unit_and_beyond_a_month_as_a_date(then: str, text: str) -> None:
    assert age_text(datetime.fromisoformat(then), datetime.fromisoformat(TABLE["now"])) == text


def test_what_has_not_ended_is_counted_to_now_and_never_below_zero() -> None:
    start = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert Elapsed(start, None, start.replace(minute=1, second=2)).machine == "PT62S"
    assert Elapsed(start, None, start.replace(hour=11)).text == "0s"
