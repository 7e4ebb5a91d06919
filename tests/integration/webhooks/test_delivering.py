"""Deliveries to a real receiver, with a clock that the test moves on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection
from django.utils import timezone

from logviewer.intake.builds import finish_build
from logviewer.models import AuditEntry, Delivery, DeliveryState, Results, Webhook
from logviewer.webhooks import background, sending, tidying
from logviewer.webhooks.background import Deliverer
from logviewer.webhooks.delivering import GONE_WHY, LEASE, Taken, take_due, write_down
from logviewer.webhooks.sending import Answer
from tests.factories import make_build, make_delivery, make_project, make_webhook
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db
PATIENCE_SECONDS = 10
TAKEN = Answer(204, "", 5)
FAILED = Answer(500, "the receiver answered 500", 5)


class Clock:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = timezone.now() + timedelta(seconds=1)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deliverer(clock: Clock) -> Deliverer:
    return Deliverer(clock, jitter=lambda: 0.0)


def settle(deliverer: Deliverer) -> None:
    assert deliverer.settle(PATIENCE_SECONDS)


def test_a_finished_build_reaches_its_receiver_signed(receiver: Receiver, deliverer: Deliverer) -> None:
    webhook = make_webhook(receiver.url)
    build = make_build()
    finish_build(build.pk, Results.SUCCESS)
    settle(deliverer)
    (request,) = receiver.requests
    assert request.json["build"]["id"] == build.pk
    assert request.headers["content-type"] == "application/json"
    signed = f"{request.name}.{request.headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.status, delivery.attempts) == (DeliveryState.DELIVERED, 204, 1)
    assert (request.json["delivery"], request.name) == (delivery.name, delivery.name)
    assert delivery.next_try_at is None
    assert delivery.duration_ms is not None


def test_what_failed_is_sent_again_later_and_later_under_the_same_name(
    receiver: Receiver, deliverer: Deliverer, clock: Clock
) -> None:
    receiver.statuses = [500, 503, 404]
    delivery = make_delivery(webhook=make_webhook(receiver.url), payload='{"a":1}')
    for attempt, pause in enumerate((10, 20, 40), start=1):
        settle(deliverer)
        delivery.refresh_from_db()
        assert (delivery.attempts, len(receiver.requests)) == (attempt, attempt)
        assert delivery.next_try_at == clock.now + timedelta(seconds=pause)
        clock.pass_by(seconds=pause - 1)
        settle(deliverer)
        assert len(receiver.requests) == attempt
        clock.pass_by(seconds=1)
    settle(deliverer)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.why) == (DeliveryState.DELIVERED, 4, "")
    assert {(request.name, request.body) for request in receiver.requests} == {(delivery.name, b'{"a":1}')}
    times = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert times == sorted(set(times))


def test_after_a_day_it_is_given_up(receiver: Receiver, deliverer: Deliverer, clock: Clock) -> None:
    receiver.statuses = [500] * 100
    delivery = make_delivery(webhook=make_webhook(receiver.url))
    began = clock.now
    while delivery.state == DeliveryState.WAITING:
        settle(deliverer)
        delivery.refresh_from_db()
        clock.now = delivery.next_try_at or clock.now
    assert delivery.state == DeliveryState.GIVEN_UP
    assert timedelta(hours=20) < clock.now - began <= timedelta(days=1)
    assert 15 <= delivery.attempts <= 30
    assert delivery.why == "the receiver answered 500"


def test_a_receiver_that_asks_for_time_gets_it_up_to_an_hour(
    receiver: Receiver, deliverer: Deliverer, clock: Clock
) -> None:
    delivery = make_delivery(webhook=make_webhook(receiver.url))
    for asked, given in (("600", 600), ("999999", 3600)):
        receiver.statuses, receiver.headers = [503], {"Retry-After": asked}
        settle(deliverer)
        delivery.refresh_from_db()
        assert delivery.next_try_at == clock.now + timedelta(seconds=given)
        clock.now = delivery.next_try_at or clock.now


def test_410_makes_the_webhook_inactive_and_says_so(receiver: Receiver, deliverer: Deliverer, clock: Clock) -> None:
    receiver.statuses = [410]
    webhook = make_webhook(receiver.url)
    delivery = make_delivery(webhook=webhook)
    settle(deliverer)
    later = make_delivery(webhook=webhook)
    clock.pass_by(hours=1)
    settle(deliverer)
    webhook.refresh_from_db()
    delivery.refresh_from_db()
    later.refresh_from_db()
    assert (webhook.active, "410" in webhook.inactive_why) == (False, True)
    assert (delivery.state, later.state, len(receiver.requests)) == ("given-up", "waiting", 1)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.act, entry.details) == ("buildlogs", "change", {"active": False})
    finish_build(make_build().pk, Results.SUCCESS)
    assert Delivery.objects.count() == 2


def test_410_from_an_address_that_was_changed_meanwhile_is_tried_at_the_new_one_at_once(
    receiver: Receiver, deliverer: Deliverer, clock: Clock
) -> None:
    delivery = make_delivery(webhook=make_webhook("http://127.0.0.1:1/old"))
    taken = take_due(clock(), [])
    assert taken is not None
    Webhook.objects.update(url=receiver.url)
    assert write_down(taken, Answer(410, GONE_WHY, 5), clock(), 0.0) == "failed"
    assert Webhook.objects.get().active
    settle(deliverer)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, len(receiver.requests)) == (DeliveryState.DELIVERED, 2, 1)
    assert not AuditEntry.objects.exists()


def test_an_address_inside_the_network_is_not_told_when_it_is_no_longer_allowed(
    receiver: Receiver, deliverer: Deliverer, settings: Any
) -> None:
    delivery = make_delivery(webhook=make_webhook(receiver.url))
    settings.WEBHOOK_ALLOW = []
    settle(deliverer)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status, receiver.requests) == (DeliveryState.WAITING, None, [])
    assert "inside the network" in delivery.why


def test_one_receiver_that_hangs_delays_no_other(
    receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is waiting for it: the others' deliveries come while it still hangs."""
    let_go = threading.Event()

    def hang(_handler: BaseHTTPRequestHandler) -> None:
        let_go.wait(PATIENCE_SECONDS)

    dead, alive = make_webhook(receiver.url), make_webhook(f"http://127.0.0.1:{receiver.port}/alive")
    for _ in range(100):
        make_delivery(webhook=dead)
    for _ in range(10):
        make_delivery(webhook=alive)
    receiver.answer = lambda handler: hang(handler) if handler.path == "/hook" else answer_204(handler)
    deliverer = Deliverer(clock, jitter=lambda: 0.0)
    wait_until(deliverer, lambda: delivered(alive) == 10)
    assert Delivery.objects.filter(webhook=dead, attempts__gt=0).count() == background.MAX_OF_ONE
    let_go.set()
    settle(deliverer)
    # Now it is known to fail, and is left alone but for one attempt now and then.
    tried = Delivery.objects.filter(webhook=dead, attempts__gt=0).count()
    assert tried == background.MAX_OF_ONE
    clock.pass_by(seconds=background.FIRST_REST_SECONDS)
    settle(deliverer)
    assert Delivery.objects.filter(webhook=dead, attempts__gt=0).count() == tried + 1


def answer_204(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(204)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def delivered(webhook: Webhook) -> int:
    return webhook.deliveries.filter(state=DeliveryState.DELIVERED).count()


def wait_until(deliverer: Deliverer, done: Callable[[], bool]) -> None:
    for _ in range(200):
        background.outbox.news.clear()
        deliverer.do_round()
        if done():
            return
        background.outbox.news.wait(PATIENCE_SECONDS)
    raise AssertionError("it did not come to that")


def test_what_is_taken_is_nobody_elses_until_its_lease_is_over(clock: Clock) -> None:
    delivery = make_delivery()
    first = take_due(clock(), [])
    assert first is not None
    assert take_due(clock(), []) is None
    clock.pass_by(seconds=LEASE.total_seconds())
    second = take_due(clock(), [])
    assert second is not None
    assert (second.name, second.attempts) == (first.name, 2)
    assert write_down(first, FAILED, clock(), 0.0) is None  # too late: it is another's now
    assert write_down(second, TAKEN, clock(), 0.0) == "delivered"
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DELIVERED


def test_what_is_deleted_while_it_is_sent_is_no_fault(clock: Clock) -> None:
    delivery = make_delivery()
    taken = take_due(clock(), [])
    assert taken is not None
    delivery.webhook.delete()
    assert write_down(taken, TAKEN, clock(), 0.0) is None


def test_taking_goes_by_the_index_of_what_is_due(clock: Clock) -> None:
    make_delivery()
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL takes an index where there are many rows")
    due = Delivery.objects.filter(next_try_at__lte=clock(), webhook__active=True).exclude(webhook__in=[7])
    assert "delivery_due" in due.order_by("next_try_at", "pk").explain()


def test_what_waited_too_long_is_given_up_and_what_is_over_goes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "MAX_KEPT", 3)
    monkeypatch.setattr(tidying, "MAX_WAITING", 2)
    monkeypatch.setattr(tidying, "BATCH_ROWS", 2)
    busy, quiet = make_webhook(active=False), make_webhook(project=make_project("quiet"), active=False)
    over = {"state": DeliveryState.DELIVERED, "next_try_at": None}
    kept = [make_delivery(webhook=busy, **over).pk for _ in range(10)][-3:]
    waiting = [make_delivery(webhook=busy).pk for _ in range(5)]
    old = make_delivery(webhook=quiet, created_at=clock() - timedelta(days=31), **over)
    late = make_delivery(webhook=quiet, give_up_at=clock())
    deliverer = Deliverer(clock)
    deliverer.do_round()
    assert Delivery.objects.count() == 17  # not at once: a server that was down tries first
    clock.pass_by(seconds=background.TIDY_SECONDS)
    deliverer.do_round()
    left = Delivery.objects.filter(webhook=busy)
    assert sorted(left.filter(state=DeliveryState.WAITING).values_list("pk", flat=True)) == waiting[-2:]
    assert set(left.filter(state=DeliveryState.DELIVERED).values_list("pk", flat=True)) <= set(kept)
    assert left.exclude(state=DeliveryState.WAITING).count() == 3
    late.refresh_from_db()
    assert (late.state, late.next_try_at, late.why) == (DeliveryState.GIVEN_UP, None, tidying.TOO_LATE)
    assert not Delivery.objects.filter(pk=old.pk).exists()


def test_a_fault_of_ours_is_tried_again_and_stops_nothing(clock: Clock) -> None:
    def broken(*_arguments: Any) -> Answer:
        raise RuntimeError

    delivery = make_delivery()
    settle(Deliverer(clock, jitter=lambda: 0.0, sending=broken))
    delivery.refresh_from_db()
    assert (delivery.state, "fault of the server" in delivery.why) == (DeliveryState.WAITING, True)
    assert sending.Answer is Answer


def test_while_the_database_is_away_nothing_is_forgotten(
    receiver: Receiver, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor sent again: what came of it is written down when the database is back."""
    delivery = make_delivery(webhook=make_webhook(receiver.url))

    def away(*_arguments: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as patched:
        patched.setattr(background, "write_down", away)
        with pytest.raises(OperationalError):
            deliverer.settle(PATIENCE_SECONDS)
    settle(deliverer)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, len(receiver.requests)) == (DeliveryState.DELIVERED, 1, 1)


def test_what_cannot_be_written_down_stops_nothing_else(
    receiver: Receiver, deliverer: Deliverer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = make_delivery(webhook=make_webhook(receiver.url))
    real = background.write_down

    def refusing(taken: Taken, *rest: Any) -> Any:
        if taken.name == poison.name:
            raise DataError("out of range")
        return real(taken, *rest)

    monkeypatch.setattr(background, "write_down", refusing)
    other = make_delivery(webhook=make_webhook(receiver.url, project=make_project("other")))
    settle(deliverer)
    other.refresh_from_db()
    assert other.state == DeliveryState.DELIVERED
    clock.pass_by(seconds=LEASE.total_seconds())
    settle(deliverer)
    assert receiver.names()[poison.name] == 2
