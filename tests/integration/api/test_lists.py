"""GET /builds with its filters and pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_build, make_builder, make_project, make_step
from tests.integration.api.client import ApiClient

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ids(answer: Any) -> list[int]:
    assert answer.status == 200, answer.json
    return [item["id"] for item in answer.json["items"]]


def test_builds_come_newest_first_and_without_their_steps(api: ApiClient) -> None:
    builds = [make_build() for _ in range(3)]
    make_step(build=builds[0])
    answer = api.get("/builds")
    assert ids(answer) == [build.pk for build in reversed(builds)]
    assert answer.json["next"] is None
    assert list(answer.json["items"][0]) == [
        *("id", "number", "project", "builder", "external_id", "title", "branch", "revision", "reason", "origin_url"),
        *("properties", "state", "results", "started_at", "finished_at", "pinned", "url"),
    ]


def test_pages_follow_each_other_without_gap_or_double_while_builds_are_added(api: ApiClient) -> None:
    builds = [make_build().pk for _ in range(7)]
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        answer = api.get("/builds", **query)
        seen += ids(answer)
        make_build()
        if answer.json["next"] is None:
            break
        query["cursor"] = answer.json["next"]
    assert seen == builds[::-1]


def test_pages_over_builders_of_very_different_length_are_those_of_all_builds(api: ApiClient) -> None:
    builders = [make_builder(f"b{number}") for number in range(4)]
    lengths = [0, 1, 5, 13]
    order = [number for number, length in enumerate(lengths) for _ in range(length)]
    made = [make_build(builder=builders[number]).pk for number in order[::2] + order[1::2]]
    for limit in (1, 2, 3, 5, 20):
        seen: list[int] = []
        cursor: dict[str, Any] = {}
        while True:
            answer = api.get("/builds", limit=limit, **cursor)
            seen += ids(answer)
            if answer.json["next"] is None:
                break
            cursor = {"cursor": answer.json["next"]}
        assert seen == made[::-1]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"limit": 3},
        {"project": "demo"},
        {"project": "demo", "builder": "b1"},
        {"state": "running"},
        {"results": "failure"},
        {"project": "demo", "branch": "main", "state": "running", "since": "2026-03-01T12:00:00Z"},
    ],
    ids=str,
)
def test_a_list_costs_as_many_queries_however_long_it_is(api: ApiClient, query: dict[str, Any]) -> None:
    costs = []
    for builders in (2, 5, 20):
        for number in range(builders):
            make_build(builder=make_builder(f"b{number}"), branch="main", results="failure")
        with CaptureQueriesContext(connection) as queries:
            assert api.get("/builds", **query).status == 200
        costs.append(len(queries))
    assert costs == [3, 3, 3]  # the newest of all, those among the newest, their rows


def test_a_page_that_is_just_full_is_the_last_one(api: ApiClient) -> None:
    make_build()
    make_build()
    assert api.get("/builds", limit=2).json["next"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"project": "demo"}, ["a", "b", "c"]),
        ({"project": "other"}, ["d"]),
        ({"project": "demo", "builder": "linux"}, ["a", "b"]),
        ({"builder": "linux"}, ["a", "b", "d"]),
        ({"state": "finished"}, ["b", "c"]),
        ({"state": "running"}, ["a", "d"]),
        ({"results": "failure"}, ["c"]),
        ({"branch": "main"}, ["a", "c"]),
        ({"branch": "main", "state": "finished"}, ["c"]),
        ({"since": "2026-03-01T12:00:00Z"}, ["b", "c", "d"]),
        ({"since": "2026-03-01T13:00:00+01:00"}, ["b", "c", "d"]),
        ({"since": "2026-03-01T12:00:00.001Z"}, ["c", "d"]),
        ({"project": "nowhere"}, []),
        ({"builder": "a/b ✓"}, []),
    ],
    ids=str,
)
def test_filters_leave_only_what_fits_all_of_them(api: ApiClient, query: dict[str, str], expected: list[str]) -> None:
    linux, windows = make_builder("linux"), make_builder("windows")
    elsewhere = make_builder("linux", project=make_project("other"))
    hour = timedelta(hours=1)
    make_build(builder=linux, title="a", branch="main", started_at=NOON - hour)
    make_build(builder=linux, title="b", state="finished", results="success", started_at=NOON)
    make_build(builder=windows, title="c", branch="main", state="finished", results="failure", started_at=NOON + hour)
    make_build(builder=elsewhere, title="d", started_at=NOON + hour)
    answer = api.get("/builds", **query)
    assert sorted(item["title"] for item in answer.json["items"]) == expected


def test_builds_of_private_projects_are_not_listed(api: ApiClient) -> None:
    hidden = make_project("hidden", public=False)
    make_build(builder=make_builder(project=hidden))
    shown = make_build()
    assert ids(api.get("/builds")) == [shown.pk]
    assert ids(api.get("/builds", project="hidden")) == []


def cursor_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": 10**30}, "limit"),
        ({"state": "open"}, "state"),
        ({"results": "passed"}, "results"),
        ({"since": "yesterday"}, "since"),
        ({"since": "1700000000"}, "since"),
        ({"since": "2026-03-01"}, "since"),
        ({"since": "2026-03-01T12:00:00"}, "since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "since"),
        ({"branch": "a\0b"}, "branch"),
        ({"project": "\0"}, "project"),
        ({"branch": "x" * 201}, "branch"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "€"}, "cursor"),
        ({"cursor": cursor_of("build:")}, "cursor"),
        ({"cursor": cursor_of("build:-1")}, "cursor"),
        ({"cursor": cursor_of("build:x")}, "cursor"),
        ({"cursor": cursor_of(f"build:{2**63}")}, "cursor"),
        ({"cursor": cursor_of(f"project:{1}")}, "cursor"),
        ({"cursor": "A" * 1000}, "cursor"),
        ({"projct": "demo"}, "projct"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_wrong_parameter_is_refused_by_name(api: ApiClient, query: dict[str, Any], field: str) -> None:
    answer = api.get("/builds", **query)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), [field])
