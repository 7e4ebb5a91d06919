"""Webhooks and their deliveries over REST."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from logviewer.models import AuditEntry, Delivery, DeliveryState, Project, Webhook
from logviewer.webhooks.delivering import take_due
from logviewer.webhooks.registry import MAX_WEBHOOKS
from tests.factories import make_delivery, make_project, make_token, make_webhook
from tests.integration.api.client import ApiClient

URL = "https://receiver.example/hook"
NEW = {"url": URL, "events": ["buildFinished", "logFinished"]}


@pytest.fixture
def project(db: None) -> Project:
    return make_project("demo", public=False)


@pytest.fixture
def admin(api: ApiClient, project: Project) -> ApiClient:
    return api.with_token(make_token(project=project, scopes=["admin"]))


def test_a_webhook_is_made_and_its_secret_shown_once(admin: ApiClient) -> None:
    made = admin.post("/projects/demo/webhooks", NEW)
    assert made.status == 201
    webhook = Webhook.objects.get()
    assert made.json["secret"] == webhook.secret
    assert made.json["secret"].startswith("whsec_")
    shown = admin.get(f"/webhooks/{webhook.pk}").json
    assert made.json == {**shown, "secret": webhook.secret}
    assert shown["url"] == URL
    assert (shown["project"], shown["events"], shown["active"]) == ("demo", NEW["events"], True)
    assert admin.get("/projects/demo/webhooks").json == {"items": [shown], "next": None}
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.target, entry.project_slug) == ("create", f"demo webhook {webhook.pk}", "demo")
    assert webhook.secret not in str(entry.details)


@pytest.mark.bad_input("a webhook to an address inside the network")
@pytest.mark.bad_input("a webhook to something that is no web address")
@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"url": "http://127.0.0.1/"}, ["url"]),
        ({"url": "http://169.254.169.254/latest/"}, ["url"]),
        ({"url": "http://localhost:8000/"}, ["url"]),
        ({"url": "ftp://receiver.example/"}, ["url"]),
        ({"url": "http://receiver.example:25/"}, ["url"]),
        ({"url": "http://u:p@receiver.example/"}, ["url"]),
        ({"url": ""}, ["url"]),
        ({"url": 5}, ["url"]),
        ({"url": "https://receiver.example/" + "x" * 2000}, ["url"]),
        ({"events": []}, ["events"]),
        ({"events": ["buildStarted"]}, ["events.0"]),
        ({"events": "buildFinished"}, ["events"]),
        ({"secret": "mine"}, ["secret"]),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_is_stored(
    admin: ApiClient, changes: dict[str, Any], fields: list[str]
) -> None:
    answer = admin.post("/projects/demo/webhooks", {**NEW, **changes})
    assert answer.problem() == (400, "invalid")
    assert answer.errors == fields
    assert not Webhook.objects.exists()
    webhook = make_webhook(project=Project.objects.get())
    assert admin.patch(f"/webhooks/{webhook.pk}", changes).problem() == (400, "invalid")
    assert Webhook.objects.values_list("url", "events").get() == (webhook.url, webhook.events)
    assert not AuditEntry.objects.exists()


def test_an_address_that_the_sites_keeper_allows_is_taken(admin: ApiClient, settings: Any) -> None:
    settings.WEBHOOK_ALLOW = [ip_network("10.0.0.0/8")]
    assert admin.post("/projects/demo/webhooks", {**NEW, "url": "http://10.1.2.3:8080/"}).status == 201
    assert admin.post("/projects/demo/webhooks", {**NEW, "url": "http://192.168.0.1:8080/"}).status == 400


@pytest.mark.bad_input("one webhook more than a project may have")
def test_a_project_has_a_bounded_number_of_webhooks(admin: ApiClient, project: Project) -> None:
    for _ in range(MAX_WEBHOOKS):
        make_webhook(project=project)
    assert admin.post("/projects/demo/webhooks", NEW).problem() == (409, "conflict")
    assert Webhook.objects.count() == MAX_WEBHOOKS


def test_a_webhook_is_changed_and_only_what_is_given(admin: ApiClient, project: Project) -> None:
    webhook = make_webhook(project=project, active=False, inactive_why="410")
    answer = admin.patch(f"/webhooks/{webhook.pk}", {"active": True})
    assert (answer.status, answer.json["active"], answer.json["inactive_why"]) == (200, True, "")
    assert answer.json["url"] == webhook.url
    events = ["logFinished", "buildFinished", "logFinished"]
    assert admin.patch(f"/webhooks/{webhook.pk}", {"events": events}).json["events"] == NEW["events"]
    assert admin.patch(f"/webhooks/{webhook.pk}", {}).status == 200
    details = [entry.details for entry in AuditEntry.objects.order_by("pk")]
    assert details == [{"active": True}, {"events": NEW["events"]}]


def test_a_webhook_gets_another_secret_which_is_shown_once_and_signs_what_waits(
    admin: ApiClient, project: Project
) -> None:
    webhook = make_webhook(project=project)
    make_delivery(webhook=webhook)
    renewed = admin.post(f"/webhooks/{webhook.pk}/secret")
    assert renewed.status == 201
    secret = Webhook.objects.get().secret
    assert secret != webhook.secret
    shown = admin.get(f"/webhooks/{webhook.pk}").json
    assert renewed.json == {**shown, "secret": secret}
    taken = take_due(timezone.now(), [])
    assert taken is not None
    assert taken.secret == secret
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.target, entry.details) == ("change", f"demo webhook {webhook.pk}", {"secret": "renewed"})


@pytest.mark.bad_input("a token without the scope")
def test_only_who_administers_the_project_may_renew_a_secret(api: ApiClient, project: Project) -> None:
    webhook = make_webhook(project=project)
    path = f"/webhooks/{webhook.pk}/secret"
    assert api.post(path).problem() == (401, "unauthorized")
    assert api.with_token(make_token(project=project)).post(path).problem() == (403, "forbidden")
    other = make_token(project=make_project("other"), scopes=["admin"])
    assert api.with_token(other).post(path).problem() == (404, "not-found")
    admin = api.with_token(make_token(project=project, scopes=["admin"]))
    assert admin.post(path, {"secret": "mine"}).problem() == (400, "invalid")
    assert admin.post("/webhooks/999/secret").problem() == (404, "not-found")
    assert Webhook.objects.get().secret == webhook.secret


def test_a_webhook_is_deleted_with_its_deliveries(admin: ApiClient, project: Project) -> None:
    webhook = make_webhook(project=project)
    make_delivery(webhook=webhook)
    assert admin.send("DELETE", f"/webhooks/{webhook.pk}").status == 204
    assert (Webhook.objects.count(), Delivery.objects.count()) == (0, 0)
    assert admin.send("DELETE", f"/webhooks/{webhook.pk}").problem() == (404, "not-found")
    assert AuditEntry.objects.get().act == "delete"


def test_deliveries_are_listed_page_by_page_and_by_state(
    admin: ApiClient, project: Project, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    webhook = make_webhook(project=project)
    made = [make_delivery(webhook=webhook).pk for _ in range(5)]
    make_delivery(webhook=make_webhook(project=make_project("other")))
    Delivery.objects.filter(pk=made[1]).update(
        state=DeliveryState.GIVEN_UP, next_try_at=None, status=500, why="the receiver answered 500", duration_ms=12
    )
    admin.get("/projects")  # the token's use is written down
    with django_assert_max_num_queries(4):
        first = admin.get(f"/webhooks/{webhook.pk}/deliveries", limit=3).json
    second = admin.get(f"/webhooks/{webhook.pk}/deliveries", limit=3, cursor=first["next"]).json
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
    (given_up,) = admin.get(f"/webhooks/{webhook.pk}/deliveries", state="given-up").json["items"]
    assert (given_up["id"], given_up["status"], given_up["duration_ms"]) == (made[1], 500, 12)
    assert (given_up["why"], given_up["next_try_at"]) == ("the receiver answered 500", None)
    assert "payload" not in given_up


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"state": "lost"}, {"limit": 201}, {"unknown": 1}])
def test_a_wrong_question_is_refused(admin: ApiClient, project: Project, query: dict[str, Any]) -> None:
    webhook = make_webhook(project=project)
    assert admin.get(f"/webhooks/{webhook.pk}/deliveries", **query).problem() == (400, "invalid")


def test_a_delivery_is_sent_again_under_its_name_with_a_further_day(admin: ApiClient, project: Project) -> None:
    over = {"state": DeliveryState.GIVEN_UP, "next_try_at": None, "attempts": 21}
    delivery = make_delivery(webhook=make_webhook(project=project), **over)
    before = delivery.give_up_at
    answer = admin.post(f"/deliveries/{delivery.pk}/retry")
    assert (answer.status, answer.json["state"], answer.json["attempts"]) == (200, "waiting", 0)
    delivery.refresh_from_db()
    assert answer.json["delivery"] == delivery.name
    assert delivery.next_try_at is not None
    assert delivery.give_up_at > before
    assert AuditEntry.objects.get().details == {"sent_again": delivery.name}


@pytest.mark.bad_input("a delivery of an inactive webhook that is to be sent again")
def test_to_an_inactive_webhook_nothing_is_sent_again(admin: ApiClient, project: Project) -> None:
    delivery = make_delivery(webhook=make_webhook(project=project, active=False), state=DeliveryState.GIVEN_UP)
    assert admin.post(f"/deliveries/{delivery.pk}/retry").problem() == (409, "conflict")
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.GIVEN_UP


def calls(webhook: Webhook, delivery: Delivery) -> list[tuple[str, str, Any]]:
    slug = webhook.project.slug
    return [
        ("GET", f"/projects/{slug}/webhooks", None),
        ("POST", f"/projects/{slug}/webhooks", NEW),
        ("GET", f"/webhooks/{webhook.pk}", None),
        ("PATCH", f"/webhooks/{webhook.pk}", {"events": ["logFinished"]}),
        ("GET", f"/webhooks/{webhook.pk}/deliveries", None),
        ("POST", f"/deliveries/{delivery.pk}/retry", None),
        ("DELETE", f"/webhooks/{webhook.pk}", None),
    ]


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("who", ["nobody", "reader", "stranger", "staff", "admin of all"])
def test_only_administrators_have_to_do_with_webhooks(api: ApiClient, public: bool, who: str) -> None:
    project = make_project("demo", public=public)
    webhook = make_webhook(project=project)
    delivery = make_delivery(webhook=webhook)
    expected = {"reader": {403}, "stranger": {403 if public else 404}, "nobody": {401}}.get(who, {200, 201, 204})
    match who:
        case "reader":
            api = api.with_token(make_token(project=project, scopes=["read", "write"]))
        case "stranger":
            api = api.with_token(make_token(project=make_project("other"), scopes=["admin", "read", "write"]))
        case "staff":
            api.client = Client(enforce_csrf_checks=False)
            api.client.force_login(User.objects.create(username="ada", is_staff=True))
        case "admin of all":
            api = api.with_token(make_token(scopes=["admin"]))
    for method, path, body in calls(webhook, delivery):
        answer = api.send(method, path, body)
        assert answer.status in expected, (method, path, answer.json)
        if who == "nobody":
            assert answer.problem()[1] == "unauthorized"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects/nothing/webhooks"),
        ("GET", "/webhooks/99"),
        ("GET", f"/webhooks/{10**19}"),
        ("POST", "/deliveries/99/retry"),
        ("POST", f"/deliveries/{10**19}/retry"),
    ],
)
def test_what_is_not_there_is_not_found(admin: ApiClient, method: str, path: str) -> None:
    assert admin.send(method, path).problem() == (404, "not-found")
