"""POST /builds/{id}/heartbeat."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.factories import make_build, make_token
from tests.integration.api.client import ApiClient, stored

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


@pytest.mark.parametrize("body", [None, {}])
def test_a_heartbeat_is_noted_with_or_without_a_body(writer: ApiClient, body: dict[str, str] | None) -> None:
    build = make_build(heartbeat_at=LONG_AGO)
    assert writer.post(f"/builds/{build.pk}/heartbeat", body).status == 200
    build.refresh_from_db()
    assert build.heartbeat_at > LONG_AGO


def test_a_build_that_was_given_up_comes_back(writer: ApiClient) -> None:
    build = make_build(state="abandoned")
    assert writer.post(f"/builds/{build.pk}/heartbeat").json["state"] == "running"


def test_a_finished_build_stays_as_it_is(writer: ApiClient) -> None:
    build = make_build(state="finished", results="success", heartbeat_at=LONG_AGO)
    before = stored()
    assert writer.post(f"/builds/{build.pk}/heartbeat").json["state"] == "finished"
    assert stored() == before


def test_a_body_that_says_something_is_refused(writer: ApiClient) -> None:
    build = make_build()
    before = stored()
    answer = writer.post(f"/builds/{build.pk}/heartbeat", {"alive": True})
    assert (answer.problem(), answer.errors) == ((400, "invalid"), ["alive"])
    assert stored() == before


@pytest.mark.bad_input("an unknown id")
def test_an_unknown_build_is_not_found(writer: ApiClient) -> None:
    assert writer.post("/builds/999/heartbeat").problem() == (404, "not-found")
