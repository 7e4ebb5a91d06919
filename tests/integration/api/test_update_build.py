"""PATCH /builds/{id}."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import make_build, make_token
from tests.integration.api.client import ApiClient, stored


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


def test_only_what_is_given_is_changed(writer: ApiClient) -> None:
    build = make_build(title="old", branch="main", properties={"a": 1, "b": 2})
    answer = writer.patch(f"/builds/{build.pk}", {"title": "new", "properties": {"a": 3}})
    assert answer.status == 200
    assert (answer.json["title"], answer.json["branch"], answer.json["properties"]) == ("new", "main", {"a": 3})
    assert writer.get(f"/builds/{build.pk}").json == answer.json


def test_an_empty_value_clears_a_field(writer: ApiClient) -> None:
    build = make_build(origin_url="http://ci/1")
    assert writer.patch(f"/builds/{build.pk}", {"origin_url": ""}).json["origin_url"] == ""


def test_a_finished_build_can_still_be_described(writer: ApiClient) -> None:
    build = make_build(state="finished", results="success")
    answer = writer.patch(f"/builds/{build.pk}", {"reason": "by hand"})
    assert (answer.status, answer.json["state"]) == (200, "finished")


def test_a_build_that_was_given_up_comes_back_by_writing(writer: ApiClient) -> None:
    build = make_build(state="abandoned")
    assert writer.patch(f"/builds/{build.pk}", {"title": "x"}).json["state"] == "running"


@pytest.mark.bad_input("an unknown field")
@pytest.mark.bad_input("a wrong type")
@pytest.mark.parametrize(
    "body",
    [{"project": "x"}, {"number": 2}, {"external_id": "x"}, {"results": "success"}, {"title": 1}, {"branch": None}],
    ids=str,
)
def test_what_cannot_be_changed_or_is_wrong_is_refused_and_nothing_is_stored(
    writer: ApiClient, body: dict[str, Any]
) -> None:
    build = make_build()
    before = stored()
    answer = writer.patch(f"/builds/{build.pk}", body)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), list(body))
    assert stored() == before


@pytest.mark.bad_input("an unknown id")
@pytest.mark.parametrize("build_id", [999, 2**63 - 1, 2**63, 10**30])
def test_an_unknown_build_is_not_found(writer: ApiClient, build_id: int) -> None:
    assert writer.patch(f"/builds/{build_id}", {"title": "x"}).problem() == (404, "not-found")
