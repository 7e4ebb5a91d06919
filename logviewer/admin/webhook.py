"""Webhooks in the admin, and what became of their deliveries."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from logviewer.admin.acting import actor_of, nothing_done, out_of_time
from logviewer.admin.filters import ProjectFilter, word_filter
from logviewer.admin.noun import BoundedAdmin, NounAdmin, OnlyLookedAt, Ordering
from logviewer.admin.words import age, json_text, seconds_text, toned
from logviewer.models import Delivery, DeliveryState, Webhook, WebhookEvent
from logviewer.models.webhook import MAX_URL_CHARACTERS, NAME_PREFIX
from logviewer.upkeep import acts
from logviewer.upkeep.errors import TooMany
from logviewer.webhooks.errors import BadAddress, Inactive, TooManyWebhooks
from logviewer.webhooks.registry import (
    change_webhook,
    check_receiver,
    check_room,
    create_webhook,
    delete_webhook,
    renew_secret,
    retry_delivery,
)

if TYPE_CHECKING:
    _WebhookModelForm = forms.ModelForm[Webhook]
else:
    _WebhookModelForm = forms.ModelForm  # takes no type in brackets while it runs

MADE = ("project", "url", "events", "active")
URL_CHARACTERS = 60


class WebhookForm(_WebhookModelForm):
    """A webhook's form, its events as boxes to tick."""

    url = forms.CharField(
        label="Address",
        max_length=MAX_URL_CHARACTERS,
        widget=forms.URLInput(attrs={"class": "vURLField"}),
        help_text="http or https, and not inside the network unless BUILDLOGS_WEBHOOK_ALLOW names it.",
    )
    events = forms.MultipleChoiceField(
        choices=WebhookEvent.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[WebhookEvent.BUILD_FINISHED],
    )
    new_secret = forms.BooleanField(
        required=False,
        help_text="Shown once, after saving. The old one signs nothing any more; what the receiver refuses until it "
        "knows the new one is sent again, for a day.",
    )

    def clean_url(self) -> str:
        """Refuse what could never be sent to."""
        url: str = self.cleaned_data["url"]
        try:
            check_receiver(url)
        except BadAddress as error:
            raise ValidationError(f"The address {error}.", code="address") from None
        return url

    def clean(self) -> dict[str, Any] | None:
        """Refuse one more than a project may have."""
        cleaned = super().clean()
        project = self.cleaned_data.get("project")
        if self.instance.pk is None and project is not None:
            try:
                check_room(project)
            except TooManyWebhooks as error:
                raise ValidationError(f"{error}.", code="too-many") from None
        return cleaned


@admin.register(Webhook)
class WebhookAdmin(NounAdmin[Webhook]):
    """Addresses that are told of a project's events. A secret is shown once, in the message after it was made."""

    form = WebhookForm
    list_display = ["__str__", "short_url", "event_words", "active", "created"]
    list_filter = ["active", ProjectFilter]
    list_select_related = ["project"]
    search_fields = ["url", "project__slug"]
    autocomplete_fields = ["project"]
    actions = None

    @admin.display(description="address", ordering="url")
    def short_url(self, webhook: Webhook) -> str:
        """Its beginning."""
        return truncatechars(webhook.url, URL_CHARACTERS)

    @admin.display(description="created", ordering="created_at")
    def created(self, webhook: Webhook) -> SafeString | str:
        """How long ago."""
        return age(webhook.created_at)

    @admin.display(description="events")
    def event_words(self, webhook: Webhook) -> str:
        """The events in one line."""
        return ", ".join(webhook.events)

    @admin.display(description="deliveries")
    def deliveries(self, webhook: Webhook) -> SafeString:
        """A link to the webhook's deliveries."""
        address = reverse("admin:logviewer_delivery_changelist")
        return format_html('<a href="{}?webhook__id__exact={}">What became of each</a>', address, webhook.pk)

    def get_fields(
        self, request: HttpRequest, obj: Webhook | None = None
    ) -> list[str | list[str] | tuple[str, ...] | tuple[()]]:
        """What is asked for when a webhook is made, and what is known of one that there is."""
        if obj is None:
            return ["project", "url", "events"]
        asked = ["new_secret"] if self.has_change_permission(request, obj) else []
        return [*MADE, *asked, "inactive_why", "created_at", "deliveries"]

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> list[str]:
        """A webhook stays with its project."""
        return [] if obj is None else ["project", "inactive_why", "created_at", "deliveries"]

    def save_model(self, request: HttpRequest, obj: Webhook, form: ModelForm[Webhook], change: bool) -> None:
        """Make it, or change it, and show a secret that is new; the message travels in a cookie and is not kept."""
        if not change:
            made = create_webhook(obj.project, obj.url, obj.events, actor_of(request))
            obj.pk, obj.secret = made.pk, made.secret
            obj._state.adding = False
        else:
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in MADE}
            change_webhook(obj, changes, actor_of(request))
            if not form.cleaned_data["new_secret"]:
                return
            obj.secret = renew_secret(obj, actor_of(request)).secret
        said = format_html("The secret is <code>{}</code> : copy it now, it is not shown again.", obj.secret)
        messages.warning(request, said)

    def get_deleted_objects(
        self, objs: QuerySet[Webhook] | Sequence[Webhook], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What goes with webhooks: their deliveries, counted and not listed, which nobody deletes one by one."""
        found = list(objs)
        counts = {"webhooks": len(found), "deliveries": Delivery.objects.filter(webhook__in=found).count()}
        return [str(webhook) for webhook in found], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        """Delete it, and say who did."""
        delete_webhook(obj, actor_of(request))


class OfProjectFilter(ProjectFilter):
    """Deliveries of one project's webhooks."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Those of the webhooks."""
        slug = self.value()
        return queryset if slug is None else of_project(queryset, slug.replace("\0", ""))


def of_project(deliveries: QuerySet[Delivery], slug: str) -> QuerySet[Delivery]:
    """Those to the project's webhooks, which are few."""
    return deliveries.filter(webhook__in=list(Webhook.objects.filter(project__slug=slug).values_list("pk", flat=True)))


@admin.register(Delivery)
class DeliveryAdmin(OnlyLookedAt[Delivery], BoundedAdmin[Delivery]):
    """What was, or is to be, told to a webhook: to look at, and to have sent again."""

    list_display = ["created", "webhook", "word", "stands", "status", "why", "attempts", "duration", "next", "name"]
    list_filter = [word_filter("state", DeliveryState), word_filter("event", WebhookEvent), OfProjectFilter]
    list_select_related = ["webhook__project"]
    sortable_by = ()
    search_fields = ["name"]
    search_help_text = "A delivery's name, or a project"
    fields = [
        *("name", "webhook", "event", "subject_id", "stands", "attempts", "status", "why", "duration"),
        *("created_at", "tried_at", "next_try_at", "give_up_at", "sent"),
    ]
    readonly_fields = ["duration", "stands", "sent"]
    actions = ("send_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Deliveries; a list does without what was sent."""
        rows = super().get_queryset(request)
        wants_one = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return rows if wants_one else rows.defer("payload")

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """Newest first."""
        return ["-pk"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """The delivery of that name, or those of the project."""
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        return queryset.filter(name=term) if term.startswith(NAME_PREFIX) else of_project(queryset, term), False

    @admin.display(description="event")
    def word(self, delivery: Delivery) -> str:
        """The event in one word, as it is sent."""
        return delivery.event

    @admin.display(description="created", ordering="created_at")
    def created(self, delivery: Delivery) -> SafeString | str:
        """How long ago."""
        return age(delivery.created_at)

    @admin.display(description="state", ordering="state")
    def stands(self, delivery: Delivery) -> SafeString | str:
        """In its colour."""
        return toned(delivery.get_state_display())

    @admin.display(description="what is sent")
    def sent(self, delivery: Delivery) -> SafeString:
        """The body, indented; it travels without the blanks."""
        return json_text(json.loads(delivery.payload))

    @admin.display(description="took")
    def duration(self, delivery: Delivery) -> str:
        """How long the last attempt took."""
        return "" if delivery.duration_ms is None else seconds_text(delivery.duration_ms / 1000)

    @admin.display(description="next try")
    def next(self, delivery: Delivery) -> SafeString | str:
        """In how long it is tried again."""
        return age(delivery.next_try_at)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Who may change webhooks may have them told again."""
        return request.user.has_perm("logviewer.change_webhook")

    @admin.action(description="Send the chosen deliveries again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Have them sent now, whatever became of them before; those of inactive webhooks stay.

        As with the acts on builds and logs no more than `acts.MAX_NOUNS`, and no longer than `acts.MAX_SECONDS`.
        """
        chosen = list(queryset[: acts.MAX_NOUNS + 1])
        if len(chosen) > acts.MAX_NOUNS:
            messages.error(request, nothing_done(TooMany("deliveries", f"{acts.MAX_NOUNS}")))
            return
        sent = left = 0
        deadline = time.monotonic() + acts.MAX_SECONDS
        for place, delivery in enumerate(chosen):
            if time.monotonic() > deadline:
                messages.warning(request, out_of_time(f"{len(chosen) - place}"))
                break
            try:
                retry_delivery(delivery, actor_of(request))
                sent += 1
            except Inactive:
                left += 1
            except Delivery.DoesNotExist:
                continue  # tidied away meanwhile
        messages.success(request, f"{sent} deliver{'y is' if sent == 1 else 'ies are'} sent again.")
        if left:
            messages.warning(request, f"{left} stay: their webhooks are inactive.")
