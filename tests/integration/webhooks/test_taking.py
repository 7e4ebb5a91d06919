"""Several who take at once: on SQLite here, on PostgreSQL by tests/integration/api/test_on_postgresql.py."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from logviewer.models import Delivery, DeliveryState
from logviewer.webhooks.delivering import take_due, write_down
from logviewer.webhooks.sending import Answer
from tests.factories import make_delivery, make_webhook

pytestmark = pytest.mark.django_db(transaction=True)

TAKERS = 4
DELIVERIES = 40


def test_each_delivery_is_taken_once_however_many_take_at_once() -> None:
    webhook = make_webhook()
    for _ in range(DELIVERIES):
        make_delivery(webhook=webhook)
    now, at_once = timezone.now(), Barrier(TAKERS)

    def take_all(_taker: int) -> list[str]:
        names = []
        at_once.wait()
        try:
            while Delivery.objects.filter(state=DeliveryState.WAITING, next_try_at__lte=now).exists():
                taken = take_due(now, [])
                if taken is not None:
                    names.append(taken.name)
                    assert write_down(taken, Answer(204, "", 1), now, 0.0) == "delivered"
        finally:
            connection.close()
        return names

    with ThreadPoolExecutor(TAKERS) as takers:
        found = Counter(name for names in takers.map(take_all, range(TAKERS)) for name in names)
    assert set(found.values()) == {1}
    assert len(found) == DELIVERIES
    assert Delivery.objects.filter(state=DeliveryState.DELIVERED, attempts=1).count() == DELIVERIES
