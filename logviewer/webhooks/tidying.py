"""Keeping the outbox small: what waited too long is given up, what is over goes after a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from logviewer.models import Delivery, DeliveryState, Webhook

MAX_WAITING = 10_000
"""Of one webhook; of more the oldest are given up. A receiver that is away for a day may miss that many."""

MAX_KEPT = 1000
KEPT_FOR = timedelta(days=30)
"""So many that are over are kept for a webhook, and for so long, for those who look for what became of them."""

BATCH_ROWS = 500
"""Deleted in one transaction: SQLite lets nobody else write meanwhile."""

TOO_LATE = "not delivered within a day"
TOO_MANY = f"more than {MAX_WAITING} deliveries were waiting"


def give_up_late(now: datetime) -> int:
    """Give up what was not delivered within its day, also of webhooks that are inactive; say how many."""
    late = Delivery.objects.filter(next_try_at__isnull=False, give_up_at__lte=now)
    # Not what is being tried: its last word is the attempt's.
    return _give_up(list(late.filter(next_try_at__lte=now).values_list("pk", flat=True)), TOO_LATE)


def tidy(now: datetime, stopped: Callable[[], bool]) -> None:
    """Bound what is kept of each webhook. May be stopped after any batch, and done by several at once."""
    for webhook_id in list(Webhook.objects.values_list("pk", flat=True)):
        if stopped():
            return
        deliveries = Delivery.objects.filter(webhook=webhook_id).order_by("-pk")
        waiting = deliveries.filter(state=DeliveryState.WAITING).values_list("pk", flat=True)
        _give_up(list(waiting[MAX_WAITING:]), TOO_MANY)
        over = deliveries.exclude(state=DeliveryState.WAITING)
        for beyond in over.values_list("pk", flat=True)[MAX_KEPT : MAX_KEPT + 1]:
            _delete(over.filter(pk__lte=beyond), stopped)
        _delete(over.filter(created_at__lt=now - KEPT_FOR), stopped)


def _delete(deliveries: QuerySet[Delivery], stopped: Callable[[], bool]) -> None:
    """Delete these, some at a time."""
    while not stopped():
        ids = list(deliveries.values_list("pk", flat=True)[:BATCH_ROWS])
        if not ids:
            return
        Delivery.objects.filter(pk__in=ids).delete()


def _give_up(ids: list[int], why: str) -> int:
    """Give up those of these that still wait."""
    given_up = 0
    for start in range(0, len(ids), BATCH_ROWS):
        rows = Delivery.objects.filter(pk__in=ids[start : start + BATCH_ROWS], state=DeliveryState.WAITING)
        given_up += rows.update(state=DeliveryState.GIVEN_UP, next_try_at=None, why=why)
    return given_up
