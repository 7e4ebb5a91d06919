"""POST /builds."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.models import Build, Builder, Project, Visibility
from tests.factories import make_build, make_builder, make_project, make_token
from tests.integration.api.client import ApiClient, stored

LEAST = {"project": "demo", "builder": "linux"}


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


def test_a_build_has_all_that_it_was_created_with(writer: ApiClient) -> None:
    details = {
        "external_id": "jenkins-17",
        "number": 17,
        "title": "Fix the frob ✓",
        "branch": "main",
        "revision": "9f3c1d",
        "reason": "push\nby ann",
        "origin_url": "http://jenkins:8080/job/17/",
        "properties": {"cpu": 4, "ratio": 0.5, "tags": ["a", None, True], "deep": {"ä": "€"}},
    }
    answer = writer.post("/builds", {**LEAST, **details})
    assert answer.status == 201
    assert {name: answer.json[name] for name in details} == details
    assert writer.get(f"/builds/{answer.json['id']}").json == answer.json


def test_a_build_has_exactly_the_members_of_the_contract(writer: ApiClient) -> None:
    build = writer.post("/builds", LEAST).json
    assert list(build) == [
        *("id", "number", "project", "builder", "external_id", "title", "branch", "revision", "reason", "origin_url"),
        *("properties", "state", "results", "started_at", "finished_at", "pinned", "url", "steps"),
    ]
    assert (build["state"], build["results"], build["finished_at"], build["steps"]) == ("running", None, None, [])
    assert build["started_at"].endswith("Z")
    assert build["url"] == Build.objects.get(pk=build["id"]).get_absolute_url()


def test_project_and_builder_are_created_and_the_project_is_private(writer: ApiClient) -> None:
    assert writer.post("/builds", LEAST).status == 201
    assert Project.objects.get(slug="demo").visibility == Visibility.PRIVATE
    assert Builder.objects.filter(slug="linux", project__slug="demo").count() == 1


def test_a_project_that_is_there_keeps_its_visibility(writer: ApiClient) -> None:
    make_project("demo", public=True)
    assert writer.post("/builds", LEAST).status == 201
    assert Project.objects.get(slug="demo").visibility == Visibility.PUBLIC


def test_numbers_count_up_in_each_builder(writer: ApiClient) -> None:
    first = [writer.post("/builds", LEAST).json["number"] for _ in range(3)]
    other = writer.post("/builds", {**LEAST, "builder": "windows"}).json["number"]
    assert (first, other) == ([1, 2, 3], 1)


def test_a_number_that_is_asked_for_moves_the_next_one_beyond_it(writer: ApiClient) -> None:
    assert writer.post("/builds", {**LEAST, "number": 40}).json["number"] == 40
    assert writer.post("/builds", {**LEAST, "number": 7}).json["number"] == 7
    assert writer.post("/builds", LEAST).json["number"] == 41


@pytest.mark.bad_input("a number that is taken")
def test_a_number_that_is_taken_is_a_conflict(writer: ApiClient) -> None:
    make_build(number=5)
    before = stored()
    assert writer.post("/builds", {**LEAST, "number": 5}).problem() == (409, "conflict")
    assert stored() == before


def test_a_known_external_id_gives_the_same_build_again(writer: ApiClient) -> None:
    body = {**LEAST, "external_id": "17", "title": "first"}
    first = writer.post("/builds", body)
    before = stored()
    again = writer.post("/builds", {**body, "title": "second", "number": 99})
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json
    assert stored() == before


def test_a_finished_build_is_still_found_by_its_external_id(writer: ApiClient) -> None:
    made = writer.post("/builds", {**LEAST, "external_id": "17"}).json
    writer.post(f"/builds/{made['id']}/finish", {"results": "success"})
    again = writer.post("/builds", {**LEAST, "external_id": "17"})
    assert (again.status, again.json["id"], again.json["state"]) == (200, made["id"], "finished")


def test_the_same_external_id_in_another_builder_is_another_build(writer: ApiClient) -> None:
    one = writer.post("/builds", {**LEAST, "external_id": "17"})
    other = writer.post("/builds", {**LEAST, "builder": "windows", "external_id": "17"})
    assert other.status == 201
    assert other.json["id"] != one.json["id"]


BAD_VALUES: list[tuple[str, Any]] = [
    ("project", None),
    ("project", 7),
    ("project", ""),
    ("project", "Demo"),
    ("project", "-demo"),
    ("project", "de/mo"),
    ("project", "demo\n"),
    ("project", "d" * 64),
    ("builder", "lin ux"),
    ("builder", "../etc"),
    ("builder", ["linux"]),
    ("external_id", ""),
    ("external_id", "x" * 201),
    ("external_id", 17),
    ("external_id", "a\0b"),
    ("number", 0),
    ("number", -1),
    ("number", "1"),
    ("number", 1.5),
    ("number", True),
    ("number", 2**63),
    ("number", 10**400),
    ("title", None),
    ("title", {"text": "x"}),
    ("title", "x" * 501),
    ("title", "a\0b"),
    ("title", "\ud800"),
    ("branch", "x" * 201),
    ("branch", "\0"),
    ("revision", 12),
    ("reason", "x" * 501),
    ("origin_url", "javascript:alert(1)"),
    ("origin_url", "ftp://example.org/"),
    ("origin_url", "http://"),
    ("origin_url", "http://[::1"),
    ("origin_url", "http://example.org/a b"),
    ("origin_url", "http://example.org/" + "x" * 2000),
    ("properties", []),
    ("properties", "{}"),
    ("properties", {"text": "a\0b"}),
    ("properties", {"a\0b": 1}),
    ("properties", {"list": ["\udc00"]}),
    ("properties", {"text": "x" * 65536}),
    ("nonsense", 1),
    ("id", 1),
    ("state", "finished"),
]


@pytest.mark.bad_input("an unknown field")
@pytest.mark.bad_input("a wrong type")
@pytest.mark.parametrize(("field", "value"), BAD_VALUES, ids=[f"{f}={str(v)[:20]!r}" for f, v in BAD_VALUES])
def test_a_wrong_value_is_refused_by_name_and_nothing_is_stored(writer: ApiClient, field: str, value: Any) -> None:
    answer = writer.post("/builds", {**LEAST, field: value})
    assert answer.problem() == (400, "invalid")
    assert answer.errors == [field]
    assert not any(stored().values())


def test_all_fields_at_fault_are_named_at_once(writer: ApiClient) -> None:
    answer = writer.post("/builds", {"builder": 1, "number": "x", "zzz": 0})
    assert answer.problem() == (400, "invalid")
    assert answer.errors == ["builder", "number", "project", "zzz"]


@pytest.mark.bad_input("properties nested without end")
def test_properties_nested_beyond_all_measure_are_refused(writer: ApiClient) -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"a": deep}
    answer = writer.post("/builds", {**LEAST, "properties": deep})
    assert (answer.problem(), answer.errors) == ((400, "invalid"), ["properties"])
    assert not any(stored().values())


def test_a_number_beyond_a_doubles_range_is_refused(writer: ApiClient) -> None:
    answer = writer.post("/builds", raw=b'{"project": "demo", "builder": "linux", "properties": {"a": 1e999}}')
    assert (answer.problem(), answer.errors) == ((400, "invalid"), ["properties"])


def test_a_token_of_the_project_creates_builders_and_builds_in_it(api: ApiClient) -> None:
    token = make_token(project=make_project("demo", public=False))
    assert api.with_token(token).post("/builds", LEAST).status == 201


@pytest.mark.bad_input("a token for another project")
@pytest.mark.parametrize("exists", [True, False])
def test_a_token_of_another_project_is_forbidden_whether_there_is_such_a_project_or_not(
    api: ApiClient, exists: bool
) -> None:
    token = make_token(project=make_project("mine"))
    if exists:
        make_builder(project=make_project("demo", public=False))
    before = stored()
    assert api.with_token(token).post("/builds", LEAST).problem() == (403, "forbidden")
    assert stored() == before


@pytest.mark.bad_input("a token without the scope")
def test_a_token_without_the_scope_write_is_forbidden(api: ApiClient) -> None:
    assert api.with_token(make_token(scopes=["read"])).post("/builds", LEAST).problem() == (403, "forbidden")
    assert not any(stored().values())


def test_nobody_may_create_a_build(api: ApiClient) -> None:
    answer = api.post("/builds", LEAST)
    assert answer.problem() == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not any(stored().values())
