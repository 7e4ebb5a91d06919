"""POST /builds/{id}/finish."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.models import Results
from tests.factories import make_build, make_log, make_step, make_token
from tests.integration.api.client import ApiClient, stored


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


@pytest.mark.parametrize("results", Results.values)
def test_a_build_finishes_with_each_of_buildbots_results(writer: ApiClient, results: str) -> None:
    build = make_build()
    answer = writer.post(f"/builds/{build.pk}/finish", {"results": results})
    assert answer.status == 200
    assert (answer.json["state"], answer.json["results"]) == ("finished", results)
    assert answer.json["finished_at"] >= answer.json["started_at"]


def test_finishing_again_with_the_same_results_changes_nothing(writer: ApiClient) -> None:
    build = make_build()
    first = writer.post(f"/builds/{build.pk}/finish", {"results": "failure"})
    before = stored()
    again = writer.post(f"/builds/{build.pk}/finish", {"results": "failure"})
    assert (again.status, again.json) == (200, first.json)
    assert stored() == before


def test_finishing_with_other_results_is_a_conflict(writer: ApiClient) -> None:
    build = make_build()
    writer.post(f"/builds/{build.pk}/finish", {"results": "failure"})
    before = stored()
    assert writer.post(f"/builds/{build.pk}/finish", {"results": "success"}).problem() == (409, "conflict")
    assert stored() == before


def test_running_steps_end_with_the_build_and_finished_ones_keep_their_results(writer: ApiClient) -> None:
    build = make_build()
    make_step(build=build, name="done", state="finished", results="success")
    make_step(build=build, name="running")
    answer = writer.post(f"/builds/{build.pk}/finish", {"results": "exception"})
    assert [(step["name"], step["state"], step["results"]) for step in answer.json["steps"]] == [
        ("done", "finished", "success"),
        ("running", "finished", "exception"),
    ]


def test_logs_that_are_still_being_sent_stay_open(writer: ApiClient) -> None:
    build = make_build()
    make_log(step=make_step(build=build))
    answer = writer.post(f"/builds/{build.pk}/finish", {"results": "success"})
    assert answer.json["steps"][0]["logs"][0]["state"] == "open"


def test_a_build_that_was_given_up_can_be_finished(writer: ApiClient) -> None:
    build = make_build(state="abandoned")
    assert writer.post(f"/builds/{build.pk}/finish", {"results": "success"}).json["state"] == "finished"


@pytest.mark.bad_input("an unknown field")
@pytest.mark.bad_input("a wrong type")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "results"),
        ({"results": None}, "results"),
        ({"results": "SUCCESS"}, "results"),
        ({"results": "passed"}, "results"),
        ({"results": 0}, "results"),
        ({"results": ["success"]}, "results"),
        ({"results": "success", "when": 1}, "when"),
    ],
    ids=str,
)
def test_a_wrong_body_is_refused_and_nothing_is_stored(writer: ApiClient, body: dict[str, Any], field: str) -> None:
    build = make_build()
    before = stored()
    answer = writer.post(f"/builds/{build.pk}/finish", body)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), [field])
    assert stored() == before


@pytest.mark.bad_input("an unknown id")
def test_an_unknown_build_is_not_found(writer: ApiClient) -> None:
    assert writer.post("/builds/999/finish", {"results": "success"}).problem() == (404, "not-found")
