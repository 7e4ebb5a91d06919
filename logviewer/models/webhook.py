"""Webhooks of a project, and what is to be delivered to them."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from logviewer.models.project import Project

SECRET_PREFIX = "whsec_"  # noqa: S105 (not a secret): Standard Webhooks' mark of what follows
SECRET_BYTES = 32
MAX_URL_CHARACTERS = 2000
NAME_PREFIX = "msg_"
MAX_WHY_CHARACTERS = 500

PATIENCE = timedelta(days=1)
"""How long a delivery is tried."""


class WebhookEvent(models.TextChoices):
    """What a webhook may be told of."""

    BUILD_FINISHED = "buildFinished", "a build has finished"
    LOG_FINISHED = "logFinished", "a log has finished"


class DeliveryState(models.TextChoices):
    """`waiting`: to be tried, for the first time or again. `given-up`: not taken within a day, or never to be."""

    WAITING = "waiting", "waiting"
    DELIVERED = "delivered", "delivered"
    GIVEN_UP = "given-up", "given up"


def validate_events(value: object) -> None:
    """Refuse anything but a non-empty list of known events."""
    if not isinstance(value, list) or not value or not set(value) <= set(WebhookEvent.values):
        raise ValidationError(f"a list of some of {', '.join(WebhookEvent.values)}", code="events")


def new_secret() -> str:
    """A secret as Standard Webhooks writes them: 256 random bits in base64, marked."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_name() -> str:
    """A delivery's own name, which no other has; it has no dot, for it is signed between dots."""
    return f"{NAME_PREFIX}{secrets.token_hex(12)}"


def a_day_from_now() -> datetime:
    """When a delivery that is to be tried now is given up."""
    return timezone.now() + PATIENCE


class Webhook(models.Model):
    """An address that is told of some of a project's events.

    `secret` signs what is sent, so that it has to be kept as it is; it is shown once. `inactive_why` says, where
    buildlogs itself has made the webhook inactive, why. What is waiting for an inactive one waits on, for a day.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField("address", max_length=MAX_URL_CHARACTERS)
    events = models.JSONField(default=list, validators=[validate_events])
    secret = models.CharField(max_length=200, default=new_secret, editable=False)
    active = models.BooleanField(default=True)
    inactive_why = models.CharField("made inactive because", max_length=MAX_WHY_CHARACTERS, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.project.slug} webhook {self.pk}"


class Delivery(models.Model):
    """One event, to be told to one webhook: written in the transaction in which it happened (an outbox).

    `payload` is the body, byte for byte the same at each attempt. `next_try_at` is when it is due; whoever takes it
    moves that on by a lease, and counts the attempt, so that nobody else takes it meanwhile and somebody does where
    the taker died. It is null once the delivery is over. `status` (HTTP), `why`, `duration_ms`: of the last attempt.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    name = models.CharField(max_length=40, unique=True, default=new_name, editable=False)
    event = models.CharField(max_length=20, choices=WebhookEvent.choices)
    subject_id = models.PositiveBigIntegerField()
    payload = models.TextField()
    state = models.CharField(max_length=9, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    next_try_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    give_up_at = models.DateTimeField(default=a_day_from_now)
    tried_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    why = models.CharField(max_length=MAX_WHY_CHARACTERS, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_of_webhook"),
            models.Index(fields=["state", "-id"], name="delivery_of_state"),
            # What is asked for every few seconds: few rows, whatever was delivered before.
            models.Index(fields=["next_try_at"], name="delivery_due", condition=models.Q(next_try_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name
