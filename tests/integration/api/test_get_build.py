"""GET /builds/{id}."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.chunkstore import Entry
from logviewer.live.store import chunk_store
from tests.factories import make_build, make_log, make_step
from tests.integration.api.client import ApiClient


def test_a_build_comes_with_its_steps_in_order_and_their_logs(api: ApiClient) -> None:
    build = make_build()
    second = make_step(build=build, name="test", number=2)
    first = make_step(build=build, name="compile", number=1)
    make_log(step=first, name="stdio")
    make_log(step=first, name="warnings", type="text")
    make_log(step=second, name="stdio")
    answer = api.get(f"/builds/{build.pk}")
    assert answer.status == 200
    steps = answer.json["steps"]
    assert [(step["name"], [log["name"] for log in step["logs"]]) for step in steps] == [
        ("compile", ["stdio", "warnings"]),
        ("test", ["stdio"]),
    ]


def test_open_logs_in_it_stand_as_the_store_says(api: ApiClient) -> None:
    log = make_log(size=1, lines=1)
    chunk_store().append(log.key, [Entry(0, b"one\ntwo\n", None)])
    answer = api.get(f"/builds/{log.step.build_id}")
    shown = answer.json["steps"][0]["logs"][0]
    assert (shown["size"], shown["lines"], shown["received"]) == (8, 2, 8)


def test_the_number_of_queries_does_not_depend_on_the_number_of_steps(
    api: ApiClient, django_assert_num_queries: Any
) -> None:
    build = make_build()
    for name in ("a", "b", "c", "d"):
        make_log(step=make_step(build=build, name=name))
    with django_assert_num_queries(3):
        assert api.get(f"/builds/{build.pk}").status == 200


@pytest.mark.parametrize("build_id", [0, 999, 2**63 - 1, 2**63, 10**30, "9" * 5000])
def test_an_unknown_build_is_not_found(api: ApiClient, build_id: int | str) -> None:
    assert api.get(f"/builds/{build_id}").problem() == (404, "not-found")


@pytest.mark.parametrize("build_id", ["abc", "-1", "1.0", "1%00", "%F0%9F%98%80"])
def test_what_is_no_id_is_not_found(api: ApiClient, build_id: str) -> None:
    make_build()
    assert api.get(f"/builds/{build_id}").problem() == (404, "not-found")
