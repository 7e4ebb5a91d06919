"""The thread itself: it hears at once, and ends in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from logviewer.intake.builds import finish_build
from logviewer.models import Delivery, DeliveryState, Results
from logviewer.webhooks import background
from logviewer.webhooks.background import STOP_SECONDS, Deliverer
from tests.factories import make_build, make_webhook
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
HANG_SECONDS = 10


@pytest.fixture
def deliverer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deliverer]:
    monkeypatch.setattr(background, "POLL_SECONDS", 60.0)
    deliverer = Deliverer()
    deliverer.start()
    yield deliverer
    deliverer.stop()


def test_what_finishes_in_this_process_is_told_at_once(receiver: Receiver, deliverer: Deliverer) -> None:
    make_webhook(receiver.url)
    finish_build(make_build().pk, Results.SUCCESS)
    receiver.wait_for(1)  # not a poll later, which is a minute
    deliverer.stop()
    assert Delivery.objects.get().state == DeliveryState.DELIVERED


def test_a_receiver_that_hangs_does_not_hold_up_the_end(receiver: Receiver, deliverer: Deliverer) -> None:
    let_go = threading.Event()

    def hang(_handler: BaseHTTPRequestHandler) -> None:
        let_go.wait(HANG_SECONDS)

    receiver.answer = hang
    make_webhook(receiver.url)
    finish_build(make_build().pk, Results.SUCCESS)
    receiver.wait_for(1)
    began = time.monotonic()
    deliverer.stop()
    assert time.monotonic() - began < STOP_SECONDS + 1
    let_go.set()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)  # another's, when the lease is over
