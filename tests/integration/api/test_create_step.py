"""POST /builds/{id}/steps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import make_build, make_step, make_token
from tests.integration.api.client import ApiClient, stored


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


def test_a_step_has_exactly_the_members_of_the_contract(writer: ApiClient) -> None:
    build = make_build()
    answer = writer.post(f"/builds/{build.pk}/steps", {"name": "compile"})
    assert answer.status == 201
    assert list(answer.json) == [
        *("id", "number", "name", "slug", "state", "results", "started_at", "finished_at", "url", "logs")
    ]
    assert (answer.json["number"], answer.json["state"], answer.json["logs"]) == (1, "running", [])


def test_steps_without_a_number_get_the_next_one(writer: ApiClient) -> None:
    build = make_build()
    bodies: list[dict[str, Any]] = [{"name": "a"}, {"name": "b", "number": 7}, {"name": "c"}, {"name": "c"}]
    numbers = [writer.post(f"/builds/{build.pk}/steps", body).json["number"] for body in bodies]
    assert numbers == [1, 7, 8, 9]


def test_the_same_number_and_name_give_the_same_step_again(writer: ApiClient) -> None:
    build = make_build()
    first = writer.post(f"/builds/{build.pk}/steps", {"name": "compile", "number": 3})
    before = stored()
    again = writer.post(f"/builds/{build.pk}/steps", {"name": "compile", "number": 3})
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json
    assert stored() == before


def test_a_number_of_a_step_with_another_name_is_a_conflict(writer: ApiClient) -> None:
    step = make_step(name="compile")
    before = stored()
    answer = writer.post(f"/builds/{step.build_id}/steps", {"name": "test", "number": step.number})
    assert answer.problem() == (409, "conflict")
    assert stored() == before


@pytest.mark.parametrize(
    ("names", "slugs"),
    [
        (["Compile all", "compile  ALL", "compile-all"], ["compile-all", "compile-all-2", "compile-all-3"]),
        (["日本", "✓"], ["step", "step-2"]),
        (["../../etc/passwd"], ["etcpasswd"]),
        (["-rf"], ["rf"]),
        (["x" * 200, "x" * 200], ["x" * 63, "x" * 61 + "-2"]),
    ],
    ids=lambda value: value[0][:20],
)
def test_slugs_are_derived_and_unique_in_the_build(writer: ApiClient, names: list[str], slugs: list[str]) -> None:
    build = make_build()
    made = [writer.post(f"/builds/{build.pk}/steps", {"name": name}).json for name in names]
    assert [(step["name"], step["slug"]) for step in made] == list(zip(names, slugs, strict=True))


def test_a_finished_build_takes_no_more_steps(writer: ApiClient) -> None:
    build = make_build(state="finished", results="success")
    before = stored()
    assert writer.post(f"/builds/{build.pk}/steps", {"name": "late"}).problem() == (409, "finished")
    assert stored() == before


def test_a_step_of_a_finished_build_is_still_found(writer: ApiClient) -> None:
    build = make_build(state="finished", results="success")
    step = make_step(build=build, name="compile")
    answer = writer.post(f"/builds/{build.pk}/steps", {"name": "compile", "number": step.number})
    assert (answer.status, answer.json["id"]) == (200, step.pk)


def test_a_build_that_was_given_up_comes_back_by_a_new_step(writer: ApiClient) -> None:
    build = make_build(state="abandoned")
    assert writer.post(f"/builds/{build.pk}/steps", {"name": "compile"}).status == 201
    assert writer.get(f"/builds/{build.pk}").json["state"] == "running"


@pytest.mark.bad_input("an unknown field")
@pytest.mark.bad_input("a wrong type")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\x1b[31mb"}, "name"),
        ({"name": "a\x7f"}, "name"),
        ({"name": "a\u2028b"}, "name"),
        ({"name": "\udfff"}, "name"),
        ({"name": "x", "number": -1}, "number"),
        ({"name": "x", "number": "1"}, "number"),
        ({"name": "x", "number": 1.5}, "number"),
        ({"name": "x", "number": True}, "number"),
        ({"name": "x", "number": 2**31}, "number"),
        ({"name": "x", "number": 2**64}, "number"),
        ({"name": "x", "slug": "x"}, "slug"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_wrong_value_is_refused_and_nothing_is_stored(writer: ApiClient, body: dict[str, Any], field: str) -> None:
    build = make_build()
    before = stored()
    answer = writer.post(f"/builds/{build.pk}/steps", body)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), [field])
    assert stored() == before


@pytest.mark.bad_input("an unknown id")
def test_an_unknown_build_is_not_found(writer: ApiClient) -> None:
    assert writer.post("/builds/999/steps", {"name": "x"}).problem() == (404, "not-found")
