"""Whatever JSON is sent, the answer is a result or a problem, and never a fault of the server."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logviewer.models import LogType, Results
from tests.factories import make_build, make_log, make_step, make_token
from tests.integration.api.client import ApiClient

pytestmark = pytest.mark.django_db
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)

texts = st.text(st.characters(codec=None), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
slugs = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=5)
# Mostly right, so that what is wrong gets past the first check.
builds = st.fixed_dictionaries(
    {"project": slugs, "builder": slugs},
    optional={
        "external_id": texts | values,
        "number": st.integers() | values,
        "title": texts | values,
        "branch": texts,
        "revision": texts,
        "reason": texts,
        "origin_url": texts.map(lambda text: f"http://{text}") | values,
        "properties": st.dictionaries(texts, values, max_size=3),
    },
)
names = st.fixed_dictionaries({"name": texts}, optional={"number": st.integers() | values, "x": values})
logs = st.fixed_dictionaries({"name": texts}, optional={"type": st.sampled_from(LogType.values) | values})
endings = st.fixed_dictionaries({"results": st.sampled_from(Results.values) | values}) | values


def check(writer: ApiClient, method: str, path: str, body: Any) -> None:
    answer = writer.send(method, path, body)
    if answer.status not in (200, 201):
        status, kind = answer.problem()
        assert (status, kind) in {(400, "invalid"), (409, "conflict"), (409, "finished"), (409, "mismatch")}


@EXAMPLES
@given(builds | values)
def test_post_builds(api: ApiClient, body: Any) -> None:
    check(api.with_token(make_token()), "POST", "/builds", body)


@EXAMPLES
@given(names | values, logs | values, endings)
def test_the_other_writes(api: ApiClient, step: Any, log: Any, ending: Any) -> None:
    writer = api.with_token(make_token())
    build = make_build()
    its_step = make_step(build=build)
    check(writer, "PATCH", f"/builds/{build.pk}", step)
    check(writer, "POST", f"/builds/{build.pk}/steps", step)
    check(writer, "POST", f"/steps/{its_step.pk}/logs", log)
    check(writer, "POST", f"/logs/{make_log(step=its_step, name='other').pk}/finish", log)
    check(writer, "POST", f"/steps/{its_step.pk}/finish", ending)
    check(writer, "POST", f"/builds/{build.pk}/finish", ending)


@EXAMPLES
@given(
    st.dictionaries(
        st.sampled_from(["project", "builder", "state", "results", "branch", "since", "cursor", "limit"]),
        st.text(max_size=30) | st.datetimes().map(str),
    )
)
def test_queries(api: ApiClient, query: dict[str, str]) -> None:
    for path in ("/builds", "/projects"):
        answer = api.get(path, **query)
        assert answer.status == 200 or answer.problem() == (400, "invalid")
