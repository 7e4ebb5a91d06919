"""A webhook that goes in the very moment in which a build ends. Also on PostgreSQL, by test_on_postgresql.py."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, connections
from django.db.models.signals import post_delete

from logviewer.intake.builds import finish_build
from logviewer.models import SERVER, AuditEntry, Build, BuildState, Delivery, Results, Webhook
from logviewer.webhooks import outbox
from logviewer.webhooks.registry import delete_webhook
from tests.factories import make_build, make_webhook

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 20
MOMENT_SECONDS = 0.5


def elsewhere(thread: ThreadPoolExecutor, call: Callable[[], object]) -> Future[object]:
    """Call it in a thread, whose connection is closed afterwards."""

    def call_and_close() -> object:
        try:
            return call()
        finally:
            connections.close_all()

    return thread.submit(call_and_close)


def is_finished(build: Build) -> bool:
    return Build.objects.get(pk=build.pk).state == BuildState.FINISHED


def test_a_build_ends_though_a_webhook_was_deleted_after_it_was_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, stays, build = make_webhook(), make_webhook(), make_build()
    deletion: list[Future[object]] = []

    with ThreadPoolExecutor(1) as thread:
        held = outbox._held

        def deleted_before(webhook_ids: list[int]) -> list[int]:
            deletion.append(elsewhere(thread, lambda: delete_webhook(gone, SERVER)))
            if connection.vendor == "postgresql":  # in SQLite it waits for the build
                deletion[0].result(WAIT_SECONDS)
            return held(webhook_ids)

        monkeypatch.setattr(outbox, "_held", deleted_before)
        finish_build(build.pk, Results.SUCCESS)
        deletion[0].result(WAIT_SECONDS)
    assert is_finished(build)
    assert [delivery.webhook for delivery in Delivery.objects.all()] == [stays]


def test_a_deletion_waits_for_a_build_that_is_ending_and_takes_its_delivery_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    webhook, build = make_webhook(), make_build()
    create = Delivery.objects.bulk_create

    with ThreadPoolExecutor(1) as thread:

        def deleted_after(deliveries: list[Delivery]) -> list[Delivery]:
            created: list[Delivery] = create(deliveries)
            deletion.append(elsewhere(thread, lambda: delete_webhook(webhook, SERVER)))
            with pytest.raises(TimeoutError):
                deletion[0].result(MOMENT_SECONDS)
            return created

        deletion: list[Future[object]] = []
        monkeypatch.setattr(Delivery.objects, "bulk_create", deleted_after)
        finish_build(build.pk, Results.SUCCESS)
        deletion[0].result(WAIT_SECONDS)
    assert is_finished(build)
    assert (Webhook.objects.count(), Delivery.objects.count()) == (0, 0)
    assert AuditEntry.objects.count() == 1


def test_a_build_waits_for_a_deletion_under_way_and_ends() -> None:
    webhook, build = make_webhook(), make_build()
    deleting, go_on = Event(), Event()

    def hold(**_signal: object) -> None:
        deleting.set()
        assert go_on.wait(WAIT_SECONDS)

    post_delete.connect(hold, sender=Webhook)
    try:
        with ThreadPoolExecutor(2) as threads:
            deletion = elsewhere(threads, lambda: delete_webhook(webhook, SERVER))
            assert deleting.wait(WAIT_SECONDS)
            finish = elsewhere(threads, lambda: finish_build(build.pk, Results.SUCCESS))
            with pytest.raises(TimeoutError):
                finish.result(MOMENT_SECONDS)
            go_on.set()
            deletion.result(WAIT_SECONDS)
            finish.result(WAIT_SECONDS)
    finally:
        go_on.set()
        post_delete.disconnect(hold, sender=Webhook)
    assert is_finished(build)
    assert Delivery.objects.count() == 0
