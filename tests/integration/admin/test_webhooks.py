"""Webhooks in the admin: made, changed, deleted, and their deliveries sent again."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logviewer.admin import webhook as webhook_admin
from logviewer.models import Actor, AuditEntry, Delivery, DeliveryState, Webhook
from logviewer.upkeep import acts
from logviewer.webhooks.registry import MAX_WEBHOOKS, retry_delivery
from tests.factories import make_delivery, make_project, make_webhook

pytestmark = pytest.mark.django_db

WEBHOOKS = "/admin/logviewer/webhook/"
DELIVERIES = "/admin/logviewer/delivery/"
URL = "https://receiver.example/hook"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_a_webhook_is_made_and_its_secret_shown_once(admin: Client) -> None:
    project = make_project()
    made = {"project": project.pk, "url": URL, "events": ["buildFinished"]}
    page = admin.post(f"{WEBHOOKS}add/", made, follow=True).content.decode()
    webhook = Webhook.objects.get()
    found = re.search(r"The secret is <code>(\S+)</code> :", page)
    assert found is not None
    assert found[1].replace("&#x3D;", "=") == webhook.secret
    assert (webhook.project, webhook.url, webhook.events, webhook.active) == (project, URL, ["buildFinished"], True)
    for place in (WEBHOOKS, f"{WEBHOOKS}{webhook.pk}/change/"):
        assert webhook.secret not in admin.get(place).content.decode()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.act) == ("ada", "create")


def test_a_webhook_is_changed_and_deleted_and_the_audit_log_says_who(admin: Client) -> None:
    webhook = make_webhook(inactive_why="410", active=False)
    changes = {"url": URL, "events": ["logFinished"], "active": "on"}
    assert admin.post(f"{WEBHOOKS}{webhook.pk}/change/", changes).status_code == 302
    webhook.refresh_from_db()
    assert (webhook.events, webhook.active, webhook.inactive_why) == (["logFinished"], True, "")
    make_delivery(webhook=webhook)
    assert "Deliveries: 1" in admin.get(f"{WEBHOOKS}{webhook.pk}/delete/").content.decode()
    assert admin.post(f"{WEBHOOKS}{webhook.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()
    assert [entry.act for entry in AuditEntry.objects.order_by("pk")] == ["change", "delete"]


def test_who_may_only_look_is_not_asked_for_a_new_secret(client: Client) -> None:
    webhook = make_webhook()
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.add(Permission.objects.get(codename="view_webhook"))
    client.force_login(bob)
    place = f"{WEBHOOKS}{webhook.pk}/change/"
    assert "secret" not in client.get(place).content.decode()
    assert client.post(place, {"url": URL, "events": ["logFinished"], "new_secret": "on"}).status_code == 403
    assert Webhook.objects.get().secret == webhook.secret


def test_a_webhook_gets_another_secret_which_is_shown_once(admin: Client) -> None:
    webhook = make_webhook()
    place = f"{WEBHOOKS}{webhook.pk}/change/"
    unchanged = {"url": webhook.url, "events": webhook.events, "active": "on"}
    assert "The secret is" not in admin.post(place, unchanged, follow=True).content.decode()
    page = html.unescape(admin.post(place, {**unchanged, "new_secret": "on"}, follow=True).content.decode())
    secret = Webhook.objects.get().secret
    assert secret != webhook.secret
    assert f"The secret is <code>{secret}</code> :" in page
    assert secret not in html.unescape(admin.get(place).content.decode())
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.act, entry.details) == ("ada", "change", {"secret": "renewed"})
    assert "new_secret" not in admin.get(f"{WEBHOOKS}add/").content.decode()


@pytest.mark.bad_input("a webhook to an address inside the network")
def test_an_address_inside_the_network_is_refused_by_the_form(admin: Client) -> None:
    made = {"project": make_project().pk, "url": "http://127.0.0.1/", "events": ["buildFinished"]}
    page = admin.post(f"{WEBHOOKS}add/", made)
    assert page.status_code == 200
    assert "inside the network" in page.content.decode()
    assert not Webhook.objects.exists()


@pytest.mark.bad_input("one webhook more than a project may have")
def test_one_too_many_is_refused_by_the_form(admin: Client) -> None:
    for _ in range(MAX_WEBHOOKS):
        make_webhook()
    made = {"project": make_project().pk, "url": URL, "events": ["buildFinished"]}
    page = admin.post(f"{WEBHOOKS}add/", made)
    assert "may not have more" in page.content.decode()
    assert Webhook.objects.count() == MAX_WEBHOOKS


def test_deliveries_say_what_became_of_them_and_are_sent_again(admin: Client) -> None:
    over = {"state": DeliveryState.GIVEN_UP, "next_try_at": None}
    delivery = make_delivery(why="the receiver answered 418", status=418, duration_ms=77, payload='{"a":1}', **over)
    left = make_delivery(webhook=make_webhook(active=False), **over)
    page = admin.get(DELIVERIES).content.decode()
    assert "the receiver answered 418" in page
    assert "77 ms" in page
    shown = admin.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()
    assert "&quot;a&quot;: 1" in shown
    chosen = {"action": "send_again", "_selected_action": [delivery.pk, left.pk]}
    answer = admin.post(DELIVERIES, chosen, follow=True).content.decode()
    assert "1 delivery is sent again" in answer
    assert "1 stay" in answer
    delivery.refresh_from_db()
    left.refresh_from_db()
    assert (delivery.state, left.state) == (DeliveryState.WAITING, DeliveryState.GIVEN_UP)
    assert AuditEntry.objects.get().details == {"sent_again": delivery.name}


@pytest.mark.bad_input("more than a thousand deliveries to be sent again")
def test_more_than_a_thousand_deliveries_are_refused_in_one_line_and_none_is_sent(admin: Client) -> None:
    over = {"event": "buildFinished", "subject_id": 1, "state": DeliveryState.GIVEN_UP, "next_try_at": None}
    webhook = make_webhook()
    made = Delivery.objects.bulk_create(
        Delivery(webhook=webhook, payload="{}", **over) for _ in range(acts.MAX_NOUNS + 1)
    )
    chosen = {"action": "send_again", "_selected_action": [made[0].pk], "select_across": "1"}
    answer = admin.post(DELIVERIES, chosen, follow=True).content.decode()
    assert "Nothing was done: that is more than 1000 deliveries at once" in answer
    assert not Delivery.objects.filter(state=DeliveryState.WAITING).exists()
    assert not AuditEntry.objects.exists()


def test_sending_again_ends_in_time_and_says_what_it_did_not_reach(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MAX_SECONDS", -1.0)
    delivery = make_delivery(state=DeliveryState.GIVEN_UP, next_try_at=None)
    chosen = {"action": "send_again", "_selected_action": [delivery.pk]}
    assert "1 not reached" in admin.post(DELIVERIES, chosen, follow=True).content.decode()
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.GIVEN_UP


def test_a_delivery_that_goes_while_it_is_to_be_sent_again_stops_no_other(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, other = (make_delivery(state=DeliveryState.GIVEN_UP, next_try_at=None) for _ in range(2))

    def deleted_before(delivery: Delivery, actor: Actor) -> Delivery:
        Delivery.objects.filter(pk=gone.pk).delete()
        return retry_delivery(delivery, actor)

    monkeypatch.setattr(webhook_admin, "retry_delivery", deleted_before)
    chosen = {"action": "send_again", "_selected_action": [gone.pk, other.pk]}
    assert "1 delivery is sent again" in admin.post(DELIVERIES, chosen, follow=True).content.decode()
    other.refresh_from_db()
    assert other.state == DeliveryState.WAITING


def test_who_may_only_look_cannot_send_again(client: Client) -> None:
    user = User.objects.create(username="bob", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client.force_login(user)
    delivery = make_delivery(state=DeliveryState.GIVEN_UP, next_try_at=None)
    assert client.get(DELIVERIES).status_code == 200
    client.post(DELIVERIES, {"action": "send_again", "_selected_action": [delivery.pk]})
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.GIVEN_UP


@pytest.mark.parametrize("place", [WEBHOOKS, DELIVERIES])
def test_a_list_asks_as_often_for_many_as_for_few(admin: Client, place: str) -> None:
    counts = []
    for number in (2, 7):
        for each in range(number):
            make_delivery(webhook=make_webhook(project=make_project(f"p{number}-{each}")))
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(place, {"q": "p2"}).status_code == 200
            assert admin.get(place).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert all("payload" not in query["sql"] for query in queries.captured_queries)
    assert Delivery.objects.count() == 9


def test_deliveries_are_found_by_name_project_state_and_event(admin: Client) -> None:
    demo = make_delivery(event="logFinished")
    other = make_delivery(webhook=make_webhook(project=make_project("other")), state="given-up", next_try_at=None)

    def listed(**query: Any) -> list[int]:
        return [row.pk for row in admin.get(DELIVERIES, query).context["cl"].result_list]

    assert listed() == [other.pk, demo.pk]
    assert listed(q=demo.name) == listed(q="demo") == listed(project="demo") == [demo.pk]
    assert listed(event="logFinished") == listed(state="waiting") == [demo.pk]
    assert listed(state="given-up", project="other") == listed(webhook__id__exact=other.webhook_id) == [other.pk]
    assert listed(q="nothing") == listed(q="msg_nothing") == listed(project="\0") == []
