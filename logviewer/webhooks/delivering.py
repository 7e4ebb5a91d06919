"""Taking what is due, and writing down what came of it.

Several processes may do so at once: whoever takes a delivery moves its `next_try_at` on by a lease, on condition that
nobody else has. Who dies with it lets the lease run out, and it is tried again: at least once, and the same name each
time (`webhook-id`) lets a receiver make it exactly once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import transaction
from django.db.models import F

from logviewer.models import SERVER, Act, AuditEntry, Delivery, DeliveryState, Webhook
from logviewer.models.webhook import MAX_WHY_CHARACTERS
from logviewer.webhooks.registry import locked_webhooks
from logviewer.webhooks.sending import ATTEMPT_SECONDS, Answer

LEASE = timedelta(seconds=ATTEMPT_SECONDS + 70)
"""An attempt, and DNS at its slowest before it (three servers, asked twice, 5 s each, for two families)."""

FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 2 * 3600.0
"""Twice as long after each attempt, up to this: some 20 attempts in a day."""

LONGEST_ASKED_SECONDS = 3600.0
"""What a receiver's Retry-After counts at most."""

CANDIDATES = 8
"""Deliveries looked at for one that no other process takes in the same moment."""

Result = Literal["delivered", "failed", "given-up"]
"""What an attempt came to; `failed` is tried again."""

GONE_WHY = "the receiver answered 410 (Gone): it wants nothing any more"


@dataclass(frozen=True)
class Taken:
    """A delivery that this process may try, until the lease ends; `attempts` with this one."""

    delivery_id: int
    webhook_id: int
    name: str
    url: str
    secret: str
    payload: str
    attempts: int


def take_due(now: datetime, but: Collection[int]) -> Taken | None:
    """Take the delivery that is due for longest, of webhooks that are active and none of `but`; None if there is none.

    Two queries; a few more where other processes take at the same time.
    """
    due = Delivery.objects.filter(next_try_at__lte=now, webhook__active=True).exclude(webhook__in=but)
    for found in due.select_related("webhook").order_by("next_try_at", "pk")[:CANDIDATES]:
        mine = Delivery.objects.filter(pk=found.pk, attempts=found.attempts, next_try_at=found.next_try_at)
        if mine.update(attempts=F("attempts") + 1, next_try_at=now + LEASE, tried_at=now):
            webhook = found.webhook
            return Taken(
                delivery_id=found.pk,
                webhook_id=webhook.pk,
                name=found.name,
                url=webhook.url,
                secret=webhook.secret,
                payload=found.payload,
                attempts=found.attempts + 1,
            )
    return None


def write_down(taken: Taken, answer: Answer, now: datetime, jitter: float) -> Result | None:
    """Write down what came of an attempt; `jitter` is from 0 to 1.

    None where the delivery is not this process's any more: deleted, sent again, or taken by another after the lease.
    """
    with transaction.atomic():
        # Before its delivery, as whoever deletes it does.
        webhook = locked_webhooks().filter(pk=taken.webhook_id).first() if answer.is_gone else None
        rows = Delivery.objects.filter(
            pk=taken.delivery_id, attempts=taken.attempts, state=DeliveryState.WAITING
        ).select_for_update()
        delivery = rows.first()
        if delivery is None:
            return None
        delivery.status, delivery.duration_ms = answer.status, answer.duration_ms
        delivery.why = answer.why[:MAX_WHY_CHARACTERS]
        moved = webhook is not None and webhook.url != taken.url
        result = _decide(delivery, answer, now, jitter, moved)
        delivery.save(update_fields=["status", "why", "duration_ms", "state", "next_try_at"])
        if webhook is not None and webhook.active and not moved:
            _deactivate(webhook)
    return result


def _decide(delivery: Delivery, answer: Answer, now: datetime, jitter: float, moved: bool) -> Result:
    """Say in the delivery what is next.

    `moved`: it is gone at an address that is the webhook's no more, and was not tried at the one it has now.
    """
    if answer.is_taken:
        delivery.state, delivery.next_try_at = DeliveryState.DELIVERED, None
        return "delivered"
    asked = min(answer.retry_after_seconds, LONGEST_ASKED_SECONDS)
    pause = 0 if moved else max(pause_seconds(delivery.attempts, jitter), asked)
    next_try_at = now + timedelta(seconds=pause)
    if (answer.is_gone and not moved) or next_try_at > delivery.give_up_at:
        delivery.state, delivery.next_try_at = DeliveryState.GIVEN_UP, None
        return "given-up"
    delivery.next_try_at = next_try_at
    return "failed"


def pause_seconds(attempts: int, jitter: float) -> float:
    """How long to wait after so many attempts: exponential, less up to half of it by `jitter` (0 to 1).

    Without it all that failed in an outage would come back at one and the same moment.
    """
    longest = LONGEST_PAUSE_SECONDS
    if attempts < 64:  # beyond, a float that large is of no use
        longest = min(longest, FIRST_PAUSE_SECONDS * 2.0 ** (attempts - 1))
    return longest * (1 - jitter / 2)


def _deactivate(webhook: Webhook) -> None:
    """Tell the webhook nothing any more, until somebody makes it active again."""
    webhook.active, webhook.inactive_why = False, GONE_WHY
    webhook.save(update_fields=["active", "inactive_why"])
    AuditEntry.record(SERVER, Act.CHANGE, webhook, reason=GONE_WHY, active=False)
