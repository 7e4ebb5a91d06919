"""A build's shape: what it asks the database."""

from __future__ import annotations

from typing import Any

import pytest

from logviewer.chunkstore import Entry
from logviewer.live.store import chunk_store
from logviewer.models import Build
from logviewer.resources.shapes import build_shape, steps_of
from tests.factories import make_build, make_log, make_step

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("steps", [1, 20])
def test_steps_are_fetched_with_two_queries_and_shaped_with_none(django_assert_num_queries: Any, steps: int) -> None:
    made = make_build()
    for number in range(steps):
        log = make_log(step=make_step(build=made, name=f"step-{number}"))
        chunk_store().append(log.key, [Entry(0, b"one\n", None)])
        make_log(step=log.step, name="finished", state="finished")
    build = Build.objects.select_related("builder__project").get(pk=made.pk)
    with django_assert_num_queries(2):
        fetched = steps_of(build)
    with django_assert_num_queries(0):
        shape = build_shape(build, fetched)
    assert shape == build_shape(build)
    assert [[log["size"] for log in step["logs"]] for step in shape["steps"]] == [[4, 0]] * steps
