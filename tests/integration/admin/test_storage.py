"""The storage dashboard, and the survey that it shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from logviewer.models import LogFile, StorageSurvey
from logviewer.upkeep import survey
from logviewer.upkeep.overview import overview
from logviewer.upkeep.survey import Surveyor, last_survey, survey_now
from tests.factories import make_build, make_builder, make_log, make_project, make_step

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/storage/"


def make_logs() -> list[LogFile]:
    """A sealed log of demo/linux, an archived one of demo/mac, an open one of other/linux."""
    demo, other = make_project(), make_project("other")
    builders = [make_builder(project=demo), make_builder("mac", project=demo), make_builder(project=other)]
    rows: list[dict[str, Any]] = [
        {"size": 1000, "stored_bytes": 100, "form": "sealed", "state": "finished"},
        {"size": 500, "stored_bytes": 50, "form": "archived", "state": "finished"},
        {"size": 30},
    ]
    steps = [make_step(build=make_build(builder=builder)) for builder in builders]
    return [make_log(step=step, file=False, **fields) for step, fields in zip(steps, rows, strict=True)]


def test_a_survey_adds_up_by_builder_and_by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "SLICE_LOGS", 2)
    logs = make_logs()
    LogFile.objects.filter(pk=logs[0].pk).update(started_at=datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    survey_now()
    surveyed_at, figures = last_survey()
    assert surveyed_at is not None
    builders = [str(log.step.build.builder_id) for log in logs]
    assert figures["builders"] == dict(zip(builders, ([1, 1000, 100, 0], [1, 500, 0, 50], [1, 30, 30, 0]), strict=True))
    assert figures["days"] == {"2026-03-01": [1, 1000, 100], timezone.now().date().isoformat(): [2, 530, 80]}


def test_a_survey_goes_on_where_its_round_ended_and_publishes_once_it_has_seen_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(survey, "SLICE_LOGS", 1)
    make_logs()
    surveyor = Surveyor()
    rounds = [surveyor.run(0.0) for _ in range(3)]
    assert (rounds, last_survey()[0]) == ([False, False, False], None)
    assert surveyor.run(0.0)
    assert sum(sums[0] for sums in last_survey()[1]["builders"].values()) == 3


def test_of_two_surveyors_one_surveys_and_only_when_it_is_due() -> None:
    make_logs()
    first, second = Surveyor(), Surveyor()
    assert not first.run(-1.0) or last_survey()[0]
    assert not second.run(None)
    assert StorageSurvey.objects.get().due_at > timezone.now() + timedelta(seconds=30)


def test_the_overview_says_what_each_project_and_builder_takes_up() -> None:
    make_logs()
    survey_now()
    found = overview()
    assert [(use.name, use.stored) for use in found.projects] == [("demo", 150), ("other", 30)]
    assert [(use.name, use.stored) for use in found.builders] == [
        ("demo/linux", 100),
        ("demo/mac", 50),
        ("other/linux", 30),
    ]
    assert (found.all.logs, found.all.here, found.all.elsewhere) == (3, 130, 50)
    assert found.days[-1].text == found.weeks[-1].text == 1530
    assert len(found.days) == 30


def test_the_overview_names_what_is_large_open_silent_or_stuck() -> None:
    sealed, _archived, open_log = make_logs()
    waiting = make_log(step=sealed.step, name="waiting", file=False, state="finished", form="plain")
    LogFile.objects.filter(pk=waiting.pk).update(finished_at=timezone.now() - timedelta(hours=1))
    quiet = open_log.step.build
    quiet.heartbeat_at = timezone.now() - timedelta(minutes=20)
    quiet.save()
    found = overview()
    assert found.largest[0] == sealed
    assert list(found.stuck) == [waiting]
    assert found.open_logs == 1
    assert (found.open_builds[0].build, found.open_builds[0].open_logs) == (quiet, 1)


def test_staff_sees_the_dashboard_and_nobody_else(client: Client) -> None:
    make_logs()
    assert client.get(ADDRESS).status_code == 302
    client.force_login(User.objects.create_user("bob"))
    assert client.get(ADDRESS).status_code == 302
    client.force_login(User.objects.create_user("ada", is_staff=True))
    page = client.get(ADDRESS).content.decode()
    assert "No survey of the logs has been finished yet" in page
    survey_now()
    page = client.get(ADDRESS).content.decode()
    assert "demo/linux" in page
    assert '<svg class="desk-chart"' in page
    assert "style=" not in page
    assert client.post(ADDRESS).status_code == 405


def test_the_dashboard_asks_as_often_for_many_as_for_few(client: Client, django_assert_max_num_queries: Any) -> None:
    client.force_login(User.objects.create_superuser("ada"))
    for number in range(4):
        for _ in range(3):
            make_log(step=make_step(build=make_build(builder=make_builder(f"builder{number}"))), file=False)
    survey_now()
    with django_assert_max_num_queries(16):
        client.get(ADDRESS)
