"""The newest builds of some builders: however they are looked for, they are those that a plain query finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from logviewer.models import Build, Builder
from logviewer.upkeep import newest
from tests.factories import make_builder, make_project

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WANTED: list[dict[str, Any]] = [
    {},
    {"state": "finished"},
    {"state": "abandoned"},
    {"results": "retry"},
    {"results": "success"},
    {"branch": "main"},
    {"branch": "main", "results": "failure"},
    {"started_at__gte": NOON},
    {"started_at__gte": NOON + 70 * HOUR, "state": "finished"},
    {"started_at__gte": NOON - HOUR, "results": "success", "branch": "topic"},
    {"started_at__gte": NOON + 1000 * HOUR},
]


@pytest.fixture
def builds() -> None:
    """90 builds in two projects, the second of which was idle after the first 20; a builder has none."""
    busy = [make_builder(slug) for slug in ("a", "b", "c", "none")][:3]
    idle = [make_builder(slug, project=make_project("idle")) for slug in ("a", "d")]
    chance = Random(7)
    for number in range(1, 91):
        Build.objects.create(
            builder=chance.choice(idle if number <= 20 else busy),
            number=number,
            branch=chance.choice(["main", "main", "topic"]),
            state="running" if number > 85 else "finished",
            results=None if number > 85 else chance.choice(["success"] * 6 + ["failure", "failure", "retry"]),
            started_at=NOON + number * HOUR,
        )


@pytest.mark.usefixtures("builds")
@pytest.mark.parametrize("wanted", WANTED, ids=str)
@pytest.mark.parametrize(("window", "few", "depth"), [(20_000, 10_000, 1000), (5, 4, 1), (5, 40, 1), (1, 0, 2)])
def test_they_are_those_of_a_plain_query(
    monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], window: int, few: int, depth: int
) -> None:
    monkeypatch.setattr(newest, "WINDOW_BUILDS", window)
    monkeypatch.setattr(newest, "FEW_BUILDS", few)
    monkeypatch.setattr(newest, "FIRST_DEPTH", depth)
    ids = sorted(Build.objects.values_list("pk", flat=True))
    for builders in (
        Builder.objects.all(),
        Builder.objects.filter(project__slug="idle"),
        Builder.objects.filter(slug="a"),
        Builder.objects.filter(slug="none"),
        Builder.objects.none(),
    ):
        for before in (None, ids[-1] + 1, ids[50], ids[10], ids[0], 0):
            plain = Build.objects.filter(builder__in=list(builders), **wanted)
            if before is not None:
                plain = plain.filter(pk__lt=before)
            expected = list(plain.order_by("-pk").values_list("pk", flat=True))
            for most in (1, 3, 100):
                assert newest.newest_build_ids(builders, most, before, wanted) == expected[:most]


@pytest.mark.usefixtures("builds")
def test_no_look_is_at_more_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "WINDOW_BUILDS", 5)
    monkeypatch.setattr(newest, "FEW_BUILDS", 4)
    with CaptureQueriesContext(connection) as queries:
        newest.newest_build_ids(Builder.objects.filter(project__slug="idle"), 3, wanted={"results": "success"})
    window, counted = queries[1]["sql"], queries[2]["sql"]
    assert f'"id" > {Build.objects.latest("pk").pk - 5}' in window
    assert "LIMIT 5" in counted
    assert len(queries) == 5  # where the newest are, they, how many fit, where a thousand of each builder are, they
