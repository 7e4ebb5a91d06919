"""The timeline of a build; the browser's drawing is put to the same table in tests/javascript/timeline.test.js."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logviewer.models import Build, Step
from logviewer.pages.timeline import Bar, timeline_of

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "javascript" / "timeline.json").read_text(encoding="utf-8")
)
BEGAN = datetime.fromisoformat(TABLE["began"])


def moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else BEGAN + timedelta(seconds=seconds)


def make_step(number: int, name: str, words: str, start: float, end: float | None) -> Step:
    state, _, results = words.partition(" ")
    times = {"started_at": moment(start), "finished_at": moment(end)}
    return Step(pk=number, number=number, name=name, state=state, results=results or None, **times)


def drawn(bar: Bar) -> list[Any]:
    place = [bar.x, bar.width, bar.lane, bar.is_marked]
    return [bar.number, bar.first, bar.last, bar.status, bar.label, *place]


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: str(case["name"]))
def test_a_timeline(case: dict[str, Any]) -> None:
    build = Build(state=case["state"], started_at=BEGAN, finished_at=moment(case["ended"]))
    build.heartbeat_at = BEGAN + timedelta(seconds=case.get("heard", 0))
    steps = [make_step(number, *step) for number, step in enumerate(case["steps"], start=1)]
    timeline = timeline_of(build, steps, case["usual"], BEGAN + timedelta(seconds=case["now"]))
    assert [drawn(bar) for bar in timeline.bars] == case["bars"]
    assert [timeline.lanes, timeline.usual, timeline.summary] == [case["lanes"], case["usual_at"], case["summary"]]


def test_of_many_steps_neighbours_share_a_bar() -> None:
    many = TABLE["many"]
    steps = []
    for number in range(1, many["steps"] + 1):
        words = "finished failure" if number in many["failed"] else "finished success"
        end: float | None = number * many["seconds_each"]
        if number == many["running"]:
            words, end = "running", None
        steps.append(make_step(number, f"step {number}", words, (number - 1) * many["seconds_each"], end))
    now = BEGAN + timedelta(seconds=many["steps"] * many["seconds_each"])
    bars = timeline_of(Build(state="running", started_at=BEGAN), steps, None, now).bars
    assert len(bars) == many["bars"]
    assert drawn(bars[1])[:5] == many["second"]
    assert drawn(bars[-1])[:5] == many["last"]
