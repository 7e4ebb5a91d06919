"""The outbox: what is to be told is a row from the instant that the build or log has finished, or it never did."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from logviewer.intake.changes import happened
from logviewer.models import Build, Delivery, Webhook, WebhookEvent
from logviewer.models.webhook import new_name
from logviewer.webhooks.payload import body_of, facts_of

news = threading.Event()
"""Set where something was put into the outbox by this process; others find it within seconds."""


def listen() -> None:
    """Take down what happens from now on."""
    happened.connect(_take_down, dispatch_uid="webhooks")


def _take_down(*, build: Build, event: str, subject_id: int, **_signal: Any) -> None:
    """Write a delivery for each active webhook of the build's project that wants the event.

    In the transaction of the event. One query where no webhook wants it; four at most.
    """
    if event not in WebhookEvent.values:
        return
    webhooks = Webhook.objects.filter(project=build.builder.project_id, active=True).only("pk", "events")
    staying = _held([webhook.pk for webhook in webhooks if event in webhook.events])
    if not staying:
        return
    kind, at = WebhookEvent(event), timezone.now()
    facts = facts_of(kind, build, subject_id, at)
    deliveries = []
    for webhook_id in staying:
        name = new_name()
        body = body_of(facts, name)
        deliveries.append(Delivery(webhook_id=webhook_id, name=name, event=kind, subject_id=subject_id, payload=body))
    Delivery.objects.bulk_create(deliveries)
    transaction.on_commit(news.set)


def _held(webhook_ids: list[int]) -> list[int]:
    """Keep webhooks from being deleted until this transaction ends, and return those that are there.

    Else the foreign key of a delivery, which PostgreSQL checks at the very end, would undo the event itself where its
    webhook is deleted in the same moment. The lock is the one that this check takes; it is shared, so that builds do
    not wait for each other. In SQLite whoever deletes waits for this transaction anyhow.
    """
    if not webhook_ids or connection.vendor != "postgresql":
        return webhook_ids
    table = connection.ops.quote_name(Webhook._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [webhook_ids])  # noqa: S608 (the table's own name)
        return [row[0] for row in cursor.fetchall()]
