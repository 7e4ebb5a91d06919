"""Webhooks of a project: made, changed, deleted; and what became of their deliveries. All for administrators alone."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from django.db.models import Model, QuerySet
from ninja import Query, Router, Status
from pydantic import AfterValidator, Field

from logviewer.api.authentication import ApiRequest
from logviewer.api.cursors import Page, PageQuery, decode, encode, page_of, refuse_unknown
from logviewer.api.fields import Body, WebAddress
from logviewer.models import Delivery, DeliveryState, Webhook, WebhookEvent
from logviewer.resources.access import MAX_ID, Caller, administered_project, check_may_write_at_all
from logviewer.resources.errors import Invalid, NotFound
from logviewer.resources.webhooks import (
    DeliveryShape,
    NewWebhookShape,
    WebhookShape,
    delivery_shape,
    new_webhook_shape,
    webhook_shape,
)
from logviewer.webhooks.errors import BadAddress
from logviewer.webhooks.registry import change_webhook, create_webhook, delete_webhook, renew_secret, retry_delivery

of_project = Router(tags=["webhooks"])
router = Router(tags=["webhooks"])
deliveries = Router(tags=["webhooks"])

WEBHOOKS = "webhook"
DELIVERIES = "delivery"

Row = TypeVar("Row", bound=Model)


def _not_empty(url: str) -> str:
    if not url:
        raise ValueError("must be an http or https address")
    return url


Receiver = Annotated[WebAddress, AfterValidator(_not_empty), Field(description="http or https, port 80, 443 or ≥ 1024")]
Events = Annotated[
    list[Annotated[WebhookEvent, Field(strict=False)]], Field(min_length=1, max_length=10, description="what to tell")
]


class WebhookToCreate(Body):
    """A webhook to be made."""

    url: Receiver
    events: Events


class WebhookChanges(Body):
    """What is to be different; only what is given is changed."""

    url: Receiver | None = None
    events: Events | None = None
    active: bool | None = None


class DeliveryQuery(PageQuery):
    """Which deliveries, and which page of them."""

    state: DeliveryState | None = None


@of_project.get("/{slug}/webhooks", response=Page[WebhookShape], summary="A project's webhooks, newest first")
def list_webhooks(request: ApiRequest, slug: str, query: Query[PageQuery]) -> Page[WebhookShape]:
    """Needs the scope `admin`, or staff. Secrets are not shown again."""
    project = administered_project(request.auth, slug)
    refuse_unknown(request, PageQuery)
    webhooks = _from_cursor(project.webhooks.select_related("project").order_by("-id"), WEBHOOKS, query)
    return page_of(webhooks, query, webhook_shape, lambda webhook: encode(WEBHOOKS, webhook.pk))


@of_project.post("/{slug}/webhooks", response={201: NewWebhookShape}, summary="Make a webhook")
def post_webhook(request: ApiRequest, slug: str, body: WebhookToCreate) -> Status[NewWebhookShape]:
    """The answer holds the secret that what is sent is signed with: it is shown this once.

    What is sent is signed as Standard Webhooks 1.0.0 has it. Addresses inside the network are refused.
    """
    project = administered_project(request.auth, slug)
    try:
        webhook = create_webhook(project, body.url, body.events, request.auth.actor)
    except BadAddress as error:
        raise Invalid({"url": [str(error)]}) from None
    return Status(201, new_webhook_shape(webhook))


@router.get("/{int:webhook_id}", response=WebhookShape, summary="One webhook")
def get_webhook(request: ApiRequest, webhook_id: int) -> WebhookShape:
    """Show a webhook, without its secret."""
    return webhook_shape(_webhook(request.auth, webhook_id))


@router.patch("/{int:webhook_id}", response=WebhookShape, summary="Change a webhook")
def patch_webhook(request: ApiRequest, webhook_id: int, body: WebhookChanges) -> WebhookShape:
    """Only what is given is changed. Nothing is sent to an inactive one; what was waiting waits on, for a day."""
    webhook = _webhook(request.auth, webhook_id)
    changes: dict[str, Any] = body.model_dump(exclude_none=True)
    try:
        return webhook_shape(change_webhook(webhook, changes, request.auth.actor))
    except BadAddress as error:
        raise Invalid({"url": [str(error)]}) from None


@router.post("/{int:webhook_id}/secret", response={201: NewWebhookShape}, summary="Give a webhook another secret")
def post_secret(request: ApiRequest, webhook_id: int, body: Body = Body()) -> Status[NewWebhookShape]:  # noqa: B008
    """The answer holds the new secret, shown this once; the old one signs nothing any more. A body is not needed.

    What the receiver refuses until it knows the new one is sent again, for a day.
    """
    return Status(201, new_webhook_shape(renew_secret(_webhook(request.auth, webhook_id), request.auth.actor)))


@router.delete("/{int:webhook_id}", response={204: None}, summary="Delete a webhook")
def remove_webhook(request: ApiRequest, webhook_id: int) -> Status[None]:
    """What was, or is to be, delivered to it is deleted with it."""
    delete_webhook(_webhook(request.auth, webhook_id), request.auth.actor)
    return Status(204, None)


@router.get(
    "/{int:webhook_id}/deliveries", response=Page[DeliveryShape], summary="A webhook's deliveries, newest first"
)
def list_deliveries(request: ApiRequest, webhook_id: int, query: Query[DeliveryQuery]) -> Page[DeliveryShape]:
    """Those that are over are kept for 30 days, and the last 1000 of them."""
    webhook = _webhook(request.auth, webhook_id)
    refuse_unknown(request, DeliveryQuery)
    found = _from_cursor(webhook.deliveries.defer("payload").order_by("-id"), DELIVERIES, query)
    if query.state is not None:
        found = found.filter(state=query.state)
    return page_of(found, query, delivery_shape, lambda delivery: encode(DELIVERIES, delivery.pk))


@deliveries.post("/{int:delivery_id}/retry", response=DeliveryShape, summary="Send a delivery again, now")
def post_retry(request: ApiRequest, delivery_id: int, body: Body = Body()) -> DeliveryShape:  # noqa: B008
    """Under the same name, whatever became of it before; then it is tried for another day. A body is not needed."""
    check_may_write_at_all(request.auth)
    rows = Delivery.objects.select_related("webhook__project").defer("payload")
    delivery = rows.filter(pk=delivery_id).first() if 0 <= delivery_id <= MAX_ID else None
    if delivery is None:
        raise NotFound("delivery")
    _check(request.auth, delivery.webhook, "delivery")
    return delivery_shape(retry_delivery(delivery, request.auth.actor))


def _webhook(caller: Caller, webhook_id: int) -> Webhook:
    """The webhook of that id; Unauthenticated, NotFound, Forbidden."""
    check_may_write_at_all(caller)
    rows = Webhook.objects.select_related("project")
    webhook = rows.filter(pk=webhook_id).first() if 0 <= webhook_id <= MAX_ID else None
    if webhook is None:
        raise NotFound("webhook")
    _check(caller, webhook, "webhook")
    return webhook


def _check(caller: Caller, webhook: Webhook, noun: str) -> None:
    """Return if the caller may administer the webhook's project; `noun` is what was asked for."""
    try:
        administered_project(caller, webhook.project.slug)
    except NotFound:
        raise NotFound(noun) from None


def _from_cursor(rows: QuerySet[Row], kind: str, query: PageQuery) -> QuerySet[Row]:
    """The rows behind the cursor; Invalid where it is none of this list."""
    if query.cursor is None:
        return rows
    place = decode(kind, query.cursor)
    if not (place.isascii() and place.isdigit() and int(place) <= MAX_ID):
        raise Invalid({"cursor": ["is not a cursor that this list has given"]})
    return rows.filter(pk__lt=int(place))
