"""What is written into the outbox, and when."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from logviewer.insight import looking
from logviewer.intake.builds import NewBuild, create_build, finish_build
from logviewer.intake.changes import lock_build, record_event, repeat_event
from logviewer.intake.output import finish_log
from logviewer.intake.silence import abandon_build, end_abandoned_build
from logviewer.models import Build, Delivery, DeliveryState, LogFile, Results
from logviewer.models.build import Builder
from logviewer.webhooks.outbox import _take_down
from logviewer.webhooks.payload import MAX_PROPERTIES_BYTES
from tests.factories import make_build, make_builder, make_log, make_project, make_step, make_webhook

pytestmark = pytest.mark.django_db
BOTH = ("buildFinished", "logFinished")
MAX_BODY_BYTES = 64 * 1024


def bodies() -> list[Any]:
    return [json.loads(delivery.payload) for delivery in Delivery.objects.order_by("pk")]


def test_a_finished_build_is_told_as_rest_shows_it(settings: Any) -> None:
    settings.PUBLIC_URL = "https://logs.example.org"
    make_webhook()
    build = make_build(title="Nightly", branch="main", properties={"url": "/kept"})
    finish_build(build.pk, Results.FAILURE)
    delivery = Delivery.objects.get()
    (body,) = bodies()
    assert (body["event"], body["delivery"], body["at"][-1]) == ("buildFinished", delivery.name, "Z")
    told = body["build"]
    assert (told["id"], told["results"], told["title"], told["branch"]) == (build.pk, "failure", "Nightly", "main")
    assert told["properties"] == {"url": "/kept"}
    assert told["url"] == "https://logs.example.org/p/demo/linux/1/"
    assert told["links"]["summary"] == f"https://logs.example.org/api/v1/builds/{build.pk}/summary"
    assert delivery.subject_id == build.pk


def test_a_finished_log_is_told_with_its_step_and_build(settings: Any) -> None:
    settings.PUBLIC_URL = "https://logs.example.org"
    make_webhook(events=["logFinished"])
    log = make_log()
    finish_log(log, received=None, sha256=None, unverified=True)
    (body,) = bodies()
    assert (body["event"], body["log"]["id"], body["log"]["state"]) == ("logFinished", log.pk, "finished")
    assert body["log"]["links"]["raw"] == f"https://logs.example.org/api/v1/logs/{log.pk}/raw"
    assert body["log"]["links"]["watch"] == f"wss://logs.example.org/ws/logs/{log.pk}/"
    assert body["step"]["name"] == "compile"
    assert body["build"]["number"] == 1


def test_without_a_public_address_links_are_as_in_rest() -> None:
    make_webhook()
    finish_build(make_build().pk, Results.SUCCESS)
    assert bodies()[0]["build"]["url"] == "/p/demo/linux/1/"


def test_only_who_asked_for_it_is_told() -> None:
    wants = make_webhook(events=BOTH)
    make_webhook(events=["logFinished"])
    make_webhook(active=False)
    make_webhook(project=make_project("other"))
    finish_build(make_build().pk, Results.SUCCESS)
    assert [delivery.webhook for delivery in Delivery.objects.all()] == [wants]


def test_finishing_again_is_told_once() -> None:
    make_webhook(events=BOTH)
    log = make_log()
    for _ in range(2):
        finish_log(log, received=None, sha256=None, unverified=True)
        finish_build(log.step.build_id, Results.SUCCESS)
    assert sorted(delivery.event for delivery in Delivery.objects.all()) == sorted(BOTH)


def test_what_insight_finds_later_is_no_second_finish() -> None:
    make_webhook(events=BOTH)
    log = make_log()
    with transaction.atomic():
        repeat_event(lock_build(log.step.build_id), "logFinished", log.pk)
    assert not Delivery.objects.exists()
    assert looking.repeat_event is repeat_event


def test_what_is_rolled_back_is_not_told() -> None:
    make_webhook()
    build = make_build()
    with transaction.atomic():
        finish_build(build.pk, Results.SUCCESS)
        assert Delivery.objects.exists()
        transaction.set_rollback(True)
    build.refresh_from_db()
    assert (build.results, Delivery.objects.count()) == (None, 0)


def test_without_webhooks_a_finish_costs_one_query_more(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    build = make_build()
    with transaction.atomic():
        locked = lock_build(build.pk)
        with django_assert_max_num_queries(1):  # the build is saved, nothing of a log is asked for
            _take_down(build=locked, event="buildFinished", subject_id=build.pk)
        for event in ("stepFinished", "logStarted"):
            with django_assert_max_num_queries(0):
                _take_down(build=locked, event=event, subject_id=1)


def test_many_webhooks_cost_no_more_queries_than_one(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(5):
        make_webhook(events=BOTH)
    log = make_log()
    build = Build.objects.select_related("builder__project").get()
    with django_assert_max_num_queries(4):
        _take_down(build=build, event="logFinished", subject_id=log.pk)
    assert Delivery.objects.count() == 5
    assert Delivery.objects.values("name").distinct().count() == 5


@pytest.mark.bad_input("a build at every limit that is told to a webhook")
def test_the_longest_build_there_can_be_stays_bounded() -> None:
    make_webhook(events=BOTH)
    wide = "\U0001f600"
    slug = "a" * 63
    builder: Builder = make_builder(slug, project=make_project(slug))
    make_webhook(project=builder.project, events=BOTH)
    build = make_build(
        builder=builder,
        external_id=wide * 200,
        title=wide * 500,
        branch=wide * 200,
        revision=wide * 200,
        reason=wide * 500,
        origin_url="https://e.example/" + "ü" * 1980,
        properties={"a": wide * (MAX_PROPERTIES_BYTES // 12)},
        number=10**15,
    )
    log: LogFile = make_log(step=make_step(build=build, name="s" * 63), name="l" * 63)
    finish_log(log, received=None, sha256=None, unverified=True)
    finish_build(build.pk, Results.SUCCESS)
    for delivery in Delivery.objects.all():
        assert len(delivery.payload.encode()) < MAX_BODY_BYTES
        assert delivery.payload.isascii()


def test_properties_that_are_too_many_are_left_out_and_it_says_so() -> None:
    make_webhook()
    build = make_build(properties={"long": "x" * MAX_PROPERTIES_BYTES})
    finish_build(build.pk, Results.SUCCESS)
    (body,) = bodies()
    assert (body["build"]["properties"], body["build"]["properties_omitted"]) == ({}, True)


def test_a_build_ended_by_silence_is_told_too() -> None:
    make_webhook(events=BOTH)
    long_ago = timezone.now() - timedelta(days=3)
    build = make_build(heartbeat_at=long_ago)
    make_log(step=make_step(build=build))
    assert abandon_build(build.pk, long_ago + timedelta(days=1))
    assert not Delivery.objects.exists()
    assert end_abandoned_build(build.pk, long_ago + timedelta(days=1))
    assert sorted((body["event"], body["build"]["results"]) for body in bodies()) == [
        ("buildFinished", "exception"),
        ("logFinished", None),
    ]
    assert {delivery.state for delivery in Delivery.objects.all()} == {DeliveryState.WAITING}


def test_a_created_build_is_not_told() -> None:
    make_webhook(project=make_project("new"), events=BOTH)
    create_build(NewBuild("new", "linux"))
    build = Build.objects.get()
    with transaction.atomic():
        record_event(lock_build(build.pk), "stepStarted", 1)
    assert not Delivery.objects.exists()
