"""Webhooks and their deliveries as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from logviewer.models import Delivery, Webhook
from logviewer.resources.shapes import rfc3339, time_or_none


class WebhookShape(TypedDict):
    """A webhook; `project` is the project's slug, `inactive_why` says why buildlogs itself made it inactive."""

    id: int
    project: str
    url: str
    events: list[str]
    active: bool
    inactive_why: str
    created_at: str


class NewWebhookShape(WebhookShape):
    """A webhook with the secret that signs what it is told: shown once."""

    secret: str


class DeliveryShape(TypedDict):
    """A delivery; `delivery` is its name, as in the header `webhook-id`, `subject` the id of the build or log.

    `state` is `waiting`, `delivered` or `given-up`; `status` (HTTP), `why` and `duration_ms` are of the last attempt.
    """

    id: int
    webhook: int
    delivery: str
    event: str
    subject: int
    state: str
    attempts: int
    status: int | None
    why: str
    duration_ms: int | None
    created_at: str
    tried_at: str | None
    next_try_at: str | None


def webhook_shape(webhook: Webhook) -> WebhookShape:
    """Give a webhook as JSON; its project had better be fetched with it."""
    return WebhookShape(
        id=webhook.pk,
        project=webhook.project.slug,
        url=webhook.url,
        events=webhook.events,
        active=webhook.active,
        inactive_why=webhook.inactive_why,
        created_at=rfc3339(webhook.created_at),
    )


def new_webhook_shape(webhook: Webhook) -> NewWebhookShape:
    """Give a webhook that was just made, or has another secret, as JSON with its secret."""
    return NewWebhookShape(**webhook_shape(webhook), secret=webhook.secret)


def delivery_shape(delivery: Delivery) -> DeliveryShape:
    """Give a delivery as JSON."""
    return DeliveryShape(
        id=delivery.pk,
        webhook=delivery.webhook_id,
        delivery=delivery.name,
        event=delivery.event,
        subject=delivery.subject_id,
        state=delivery.state,
        attempts=delivery.attempts,
        status=delivery.status,
        why=delivery.why,
        duration_ms=delivery.duration_ms,
        created_at=rfc3339(delivery.created_at),
        tried_at=time_or_none(delivery.tried_at),
        next_try_at=time_or_none(delivery.next_try_at),
    )
