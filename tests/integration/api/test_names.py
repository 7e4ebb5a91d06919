"""Names at their extremes: what any script writes comes back as it was, and has an address of its own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from logviewer.models import LogFile, Step
from tests.factories import bearer, make_build, make_builder, make_log, make_project, make_step, make_token
from tests.integration.api.client import ApiClient

NAMES = [
    "x",
    "x" * 200,
    "\U0001f680" * 200,
    "компиляция",
    "编译",
    "אבג ‮gnp.exe",
    "e\u0301 \u00e9",
    "a\u200db\ufeff",
    "../../etc/passwd",
    "a/b\\c?d#e%2f",
    "<script>alert(1)</script>",
    "'; DROP TABLE logviewer_step; --",
    " leading and trailing ",
    ".",
    "CON",
    "ﬁ ß İ",
]


@pytest.fixture
def writer(api: ApiClient) -> ApiClient:
    return api.with_token(make_token())


@pytest.mark.bad_input("names at the ends of Unicode and of their length")
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_any_name_of_a_step_and_a_log_comes_back_and_leads_to_its_page(writer: ApiClient, name: str) -> None:
    build = make_build()
    step = writer.post(f"/builds/{build.pk}/steps", {"name": name})
    log = writer.post(f"/steps/{step.json['id']}/logs", {"name": name})
    assert (step.status, log.status) == (201, 201)
    assert (step.json["name"], log.json["name"]) == (name, name)
    assert writer.post(f"/steps/{step.json['id']}/logs", {"name": name}).json["id"] == log.json["id"]
    shown = writer.get(f"/builds/{build.pk}").json["steps"][0]
    assert (shown["name"], shown["logs"][0]["name"]) == (name, name)
    page = Client().get(log.json["url"], **bearer(writer.token or ""))
    assert page.status_code == 200
    assert b"<script>alert" not in page.content


@pytest.mark.bad_input("names at the ends of Unicode and of their length")
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_any_name_of_a_project_a_token_and_an_account_comes_back_and_is_shown_as_text(
    api: ApiClient, admin_client: Client, name: str
) -> None:
    project = make_project(public=True)
    log = make_log(step=make_step(build=make_build(builder=make_builder(project=project))))
    keeper = api.with_token(make_token(project=project, scopes=["read", "admin"]))
    assert keeper.patch("/projects/demo", {"name": name}).json["name"] == name
    assert keeper.post("/projects/demo/tokens", {"name": name, "scopes": ["read"]}).json["name"] == name
    account = name[:150]
    User.objects.create(username=account)
    assert keeper.post("/projects/demo/members", {"user": account, "role": "viewer"}).json["user"] == account
    assert keeper.get("/projects/demo").json["name"] == name
    assert name in [token["name"] for token in keeper.get("/projects/demo/tokens").json["items"]]
    assert [entry["target"] for entry in keeper.get("/audit").json["items"]][-1] == "demo"
    for page in ("/", project.get_absolute_url(), log.get_absolute_url(), "/admin/logviewer/project/"):
        shown = admin_client.get(page)
        assert shown.status_code == 200
        assert "<script>alert" not in shown.content.decode()
    for page in (
        f"/admin/logviewer/project/{project.pk}/change/",
        "/admin/logviewer/token/",
        "/admin/logviewer/auditentry/",
    ):
        shown = admin_client.get(page)
        assert shown.status_code == 200
        assert "<script>alert" not in shown.content.decode()


@pytest.mark.bad_input("names whose slugs collide")
def test_names_whose_slugs_collide_all_have_addresses_of_their_own(writer: ApiClient) -> None:
    build, step = make_build(), make_step(name="parent")
    names = ["a b", "a-b", "a  b", "A B", "a-b-2", "a.b", "编译", "編譯", "!", "x" * 200, "x" * 199, "x" * 63]
    steps = [writer.post(f"/builds/{build.pk}/steps", {"name": name}).json for name in names]
    logs = [writer.post(f"/steps/{step.pk}/logs", {"name": name}).json for name in names]
    for made in (steps, logs):
        assert len({each["url"] for each in made}) == len({each["slug"] for each in made}) == len(names)
        assert all(len(each["slug"]) <= 63 for each in made)
    assert (Step.objects.filter(build=build).count(), LogFile.objects.count()) == (len(names), len(names))
    assert len(set(LogFile.objects.values_list("storage_key", flat=True))) == len(names)


@pytest.mark.parametrize(
    "details",
    [
        {"title": "\U0001f680" * 500, "reason": "я" * 500, "branch": "b" * 200, "revision": "版" * 200},
        {"title": "", "reason": "", "branch": "", "revision": "", "origin_url": ""},
        {"title": "a\r\nb\tc", "branch": "refs/heads/a b;c&d=e"},
        {"properties": {"": {"\u2028": ["\U0010ffff", None, True, 1.5, -(2**53)]}, "x" * 1000: "y"}},
        {"origin_url": "https://ci.example/" + "a" * 1981},
    ],
    ids=["longest", "empty", "odd", "properties", "address"],
)
def test_what_a_build_says_of_itself_comes_back_as_it_was(writer: ApiClient, details: dict[str, Any]) -> None:
    body = {"project": "a" * 63, "builder": "0.-_" + "z" * 59, "external_id": "外" * 200, "number": 10**15, **details}
    made = writer.post("/builds", body)
    assert made.status == 201, made.json
    shown = writer.get(f"/builds/{made.json['id']}").json
    assert {name: shown[name] for name in body} == body
    again = writer.post("/builds", body)
    assert (again.status, again.json["id"]) == (200, made.json["id"])
    if details.get("branch"):
        found = writer.get("/builds", branch=details["branch"]).json["items"]
        assert [build["id"] for build in found] == [made.json["id"]]


def test_a_number_at_its_bound_leaves_room_for_the_next(writer: ApiClient) -> None:
    body = {"project": "demo", "builder": "linux"}
    assert writer.post("/builds", {**body, "number": 10**15}).status == 201
    assert writer.post("/builds", body).json["number"] == 10**15 + 1
