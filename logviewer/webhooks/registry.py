"""Webhooks made, changed and deleted by people; each with its entry in the audit log, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from logviewer.models import Act, Actor, AuditEntry, Delivery, DeliveryState, Project, Webhook, WebhookEvent
from logviewer.models.webhook import a_day_from_now, new_secret
from logviewer.webhooks import outbox
from logviewer.webhooks.addresses import check_address
from logviewer.webhooks.errors import Inactive, TooManyWebhooks

MAX_WEBHOOKS = 20
"""Of one project: each is another row for each event."""

SHOWN_CHARACTERS = 200


def _place(url: str) -> str:
    """The scheme and host of an address, for the audit log: of many receivers the path is a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:SHOWN_CHARACTERS]


def check_receiver(url: str) -> None:
    """Return if that may be a webhook's address; BadAddress."""
    check_address(url, settings.WEBHOOK_ALLOW)


def check_room(project: Project) -> None:
    """Return if the project may have one more webhook; TooManyWebhooks."""
    if project.webhooks.count() >= MAX_WEBHOOKS:
        raise TooManyWebhooks(MAX_WEBHOOKS)


def create_webhook(project: Project, url: str, events: Sequence[WebhookEvent], actor: Actor) -> Webhook:
    """Make a webhook; its `secret` is to be shown now.

    Raises:
        BadAddress: nothing can, or may, ever be sent there.
        TooManyWebhooks: the project has MAX_WEBHOOKS already.
    """
    check_receiver(url)
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=project.pk)
        check_room(project)
        webhook = Webhook.objects.create(project=project, url=url, events=_words(events))
        AuditEntry.record(actor, Act.CREATE, webhook, url=_place(url), events=webhook.events)
    return webhook


def locked_webhooks() -> QuerySet[Webhook]:
    """Webhooks with their projects, each locked as it is read, until the transaction ends."""
    return Webhook.objects.select_related("project").select_for_update(of=("self",))


def change_webhook(webhook: Webhook, changes: dict[str, Any], actor: Actor) -> Webhook:
    """Give a webhook another `url`, `events` or `active`; what is waiting goes to the new address.

    Raises:
        BadAddress: nothing can, or may, ever be sent there.
        Webhook.DoesNotExist: it was deleted meanwhile.
    """
    if "url" in changes:
        check_receiver(changes["url"])
    if "events" in changes:
        changes = {**changes, "events": _words(changes["events"])}
    with transaction.atomic():
        webhook = locked_webhooks().get(pk=webhook.pk)
        changed = {name: value for name, value in changes.items() if getattr(webhook, name) != value}
        if not changed:
            return webhook
        for name, value in changed.items():
            setattr(webhook, name, value)
        if "active" in changed:
            webhook.inactive_why = ""
        webhook.save(update_fields=[*changed, "inactive_why"])
        details = {name: _place(value) if name == "url" else value for name, value in changed.items()}
        AuditEntry.record(actor, Act.CHANGE, webhook, **details)
        transaction.on_commit(outbox.news.set)
    return webhook


def renew_secret(webhook: Webhook, actor: Actor) -> Webhook:
    """Give a webhook another secret, which is to be shown now; what is sent from now on is signed with that alone.

    Raises:
        Webhook.DoesNotExist: it was deleted meanwhile.
    """
    with transaction.atomic():
        webhook = locked_webhooks().get(pk=webhook.pk)
        webhook.secret = new_secret()
        webhook.save(update_fields=["secret"])
        AuditEntry.record(actor, Act.CHANGE, webhook, secret="renewed")  # noqa: S106 (a word for the audit log)
    return webhook


def delete_webhook(webhook: Webhook, actor: Actor) -> None:
    """Delete a webhook with all that was, or is to be, delivered to it; one that is gone already stays so."""
    with transaction.atomic():
        # Locked first: what events under way write down for it is there then, and goes with it.
        found = locked_webhooks().filter(pk=webhook.pk).first()
        if found is not None:
            AuditEntry.record(actor, Act.DELETE, found, url=_place(found.url))
            found.delete()


def retry_delivery(delivery: Delivery, actor: Actor) -> Delivery:
    """Have a delivery sent again now, under the same name; one that is over has a further day for it.

    Raises:
        Inactive: its webhook is.
        Delivery.DoesNotExist: it was deleted meanwhile.
    """
    with transaction.atomic():
        rows = Delivery.objects.select_related("webhook__project").select_for_update(of=("self",))
        delivery = rows.get(pk=delivery.pk)
        if not delivery.webhook.active:
            raise Inactive
        if delivery.state != DeliveryState.WAITING:
            delivery.state, delivery.attempts, delivery.give_up_at = DeliveryState.WAITING, 0, a_day_from_now()
        delivery.next_try_at = timezone.now()
        delivery.save(update_fields=["state", "attempts", "give_up_at", "next_try_at"])
        AuditEntry.record(actor, Act.CHANGE, delivery.webhook, sent_again=delivery.name)
        transaction.on_commit(outbox.news.set)
    return delivery


def _words(events: Sequence[WebhookEvent]) -> list[str]:
    """The events as they are kept: each once, in the order of WebhookEvent."""
    return [event.value for event in WebhookEvent if event in events]
