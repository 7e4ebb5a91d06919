"""What a build's page opens; the browser's choice is put to the same table in tests/javascript/choice.test.js."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logviewer.models import LogFile, Step
from logviewer.pages.choice import choose_log, choose_step, first_failed, opening_of, steps_listed

TABLE: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "javascript" / "choice.json").read_text(encoding="utf-8")
)


def named(case: dict[str, Any]) -> str:
    return str(case["name"])


def make_step(words: str, number: int = 1) -> Step:
    """A step from words such as `finished failure`."""
    state, _, results = words.partition(" ")
    return Step(pk=number, number=number, state=state, results=results or None)


@pytest.mark.parametrize("case", TABLE["steps"], ids=named)
def test_a_builds_page_opens_at(case: dict[str, Any]) -> None:
    steps = [make_step(words, number) for number, words in enumerate(case["steps"], start=1)]
    wanted = None if case["wanted"] is None else str(case["wanted"])
    step, failed = choose_step(steps, wanted), first_failed(steps)
    assert (step.number if step else None) == case["step"]
    assert (failed.number if failed else None) == case["failed"]


@pytest.mark.parametrize("case", TABLE["openings"], ids=named)
def test_where_a_log_opens(case: dict[str, Any]) -> None:
    assert opening_of(make_step(case["step"]), LogFile(state=case["log"]), case["error"]) == case["opens"]


def test_of_many_steps_the_part_around_the_chosen_one_is_listed() -> None:
    for case in TABLE["listed"]:
        assert steps_listed(case["count"], case["chosen"]) == range(case["first"], case["end"])


@pytest.mark.parametrize("case", TABLE["logs"], ids=named)
def test_the_log_of_a_step_that_is_shown(case: dict[str, Any]) -> None:
    logs = [LogFile(pk=place, slug=slug, errors=errors) for place, (slug, errors) in enumerate(case["logs"], start=1)]
    log = choose_log(make_step(case["step"]), logs, case["wanted"])
    assert (log.slug if log else None) == case["log"]
