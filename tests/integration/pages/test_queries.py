"""The number of queries does not grow with what a page shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logviewer.models import Build, LogFile
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
            for _ in range(4):
                make_build(builder=make_builder(builder, project=make_project(project)))


def grow_builders() -> None:
    for builder in ("a", "b", "c"):
        for _ in range(4):
            make_build(builder=make_builder(builder))


def grow_builds() -> None:
    for _ in range(10):
        make_build()


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
    before = queries_of(client, address)
    grow()
    assert queries_of(client, address) == before
    assert before <= most
