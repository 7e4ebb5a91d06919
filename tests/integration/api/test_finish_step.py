"""POST /steps/{id}/finish."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import make_log, make_step, make_token
from tests.integration.api.client import ApiClient, stored


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


def test_a_step_finishes_and_its_logs_stay_as_they_are(writer: ApiClient) -> None:
    step = make_step()
    make_log(step=step)
    answer = writer.post(f"/steps/{step.pk}/finish", {"results": "warnings"})
    assert answer.status == 200
    assert (answer.json["state"], answer.json["results"]) == ("finished", "warnings")
    assert answer.json["finished_at"] >= answer.json["started_at"]
    assert answer.json["logs"][0]["state"] == "open"


def test_finishing_again_with_the_same_results_changes_nothing(writer: ApiClient) -> None:
    step = make_step()
    first = writer.post(f"/steps/{step.pk}/finish", {"results": "success"})
    before = stored()
    again = writer.post(f"/steps/{step.pk}/finish", {"results": "success"})
    assert (again.status, again.json) == (200, first.json)
    assert stored() == before


def test_finishing_with_other_results_is_a_conflict(writer: ApiClient) -> None:
    step = make_step()
    writer.post(f"/steps/{step.pk}/finish", {"results": "success"})
    before = stored()
    assert writer.post(f"/steps/{step.pk}/finish", {"results": "failure"}).problem() == (409, "conflict")
    assert stored() == before


def test_what_a_steps_own_writer_says_takes_the_place_of_what_the_builds_end_said(writer: ApiClient) -> None:
    step = make_step()
    writer.post(f"/builds/{step.build_id}/finish", {"results": "failure"})
    answer = writer.post(f"/steps/{step.pk}/finish", {"results": "success"})
    assert (answer.status, answer.json["results"]) == (200, "success")
    assert writer.post(f"/steps/{step.pk}/finish", {"results": "failure"}).problem() == (409, "conflict")


@pytest.mark.bad_input("an unknown field")
@pytest.mark.bad_input("a wrong type")
@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "results"), ({"results": "ok"}, "results"), ({"results": 1}, "results"), ({"results": "retry", "x": 1}, "x")],
    ids=str,
)
def test_a_wrong_body_is_refused_and_nothing_is_stored(writer: ApiClient, body: dict[str, Any], field: str) -> None:
    step = make_step()
    before = stored()
    answer = writer.post(f"/steps/{step.pk}/finish", body)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), [field])
    assert stored() == before


@pytest.mark.bad_input("an unknown id")
@pytest.mark.parametrize("step_id", [999, 2**63, 10**30])
def test_an_unknown_step_is_not_found(writer: ApiClient, step_id: int) -> None:
    assert writer.post(f"/steps/{step_id}/finish", {"results": "success"}).problem() == (404, "not-found")
