"""The number of queries does not grow with what a page shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logviewer.models import Build, Builder, LogFile, Step
from tests.factories import make_build, make_builder, make_log, make_project, make_step

pytestmark = pytest.mark.django_db


def queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def grow_projects() -> None:
    for project in ("one", "two", "three"):
        for builder in ("linux", "macos"):
            make_builds(make_builder(builder, project=make_project(project)), 4)


def grow_builders() -> None:
    for number in range(27):
        make_builds(make_builder(f"builder{number}"), 4)


def grow_builds() -> None:
    for build in make_builds(make_builder(), 30):
        Step.objects.bulk_create(Step(build=build, number=number, slug=f"s{number}") for number in (1, 2, 3))


def make_builds(builder: Builder, count: int) -> list[Build]:
    first = builder.next_number
    builder.next_number += count
    builder.save()
    return Build.objects.bulk_create(Build(builder=builder, number=first + place) for place in range(count))


def grow_steps() -> None:
    build = Build.objects.earliest("id")
    for number in range(5):
        step = make_step(build=build, name=f"step{number}")
        for log in ("a", "b", "c"):
            make_log(step=step, name=log)


@pytest.mark.parametrize(
    ("address", "grow", "most"),
    [
        ("/", grow_projects, 6),
        ("/p/demo/", grow_builders, 4),
        ("/p/demo/linux/", grow_builds, 4),
        ("/p/demo/linux/1/", grow_steps, 7),
        ("/p/demo/linux/1/compile/stdio/", grow_steps, 3),
    ],
)
def test_a_page_asks_as_often_for_much_as_for_little(
    client: Client, address: str, grow: Callable[[], None], most: int
) -> None:
    log: LogFile = make_log()
    make_log(step=make_step(build=make_build(builder=log.step.build.builder)))
    for builder in ("macos", "windows"):
        make_build(builder=make_builder(builder))
    client.get(address)  # the first look at a build is noted
    before = queries_of(client, address)
    grow()
    assert queries_of(client, address) == before
    assert before <= most
