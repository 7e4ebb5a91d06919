"""GET /audit: who may read it, its filters and pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from logviewer.models import SERVER, Act, AuditEntry, Member, Project, Role, Token
from tests.factories import make_build, make_builder, make_log, make_project, make_token
from tests.integration.api.client import ApiClient

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def admin(api: ApiClient) -> ApiClient:
    return api.with_token(make_token(scopes=["admin"]))


@pytest.fixture
def bob(db: None) -> ApiClient:
    """Somebody's session."""
    client = Client()
    client.force_login(User.objects.create_user("bob"))
    return ApiClient(client=client)


def note(act: Act, project: Project, minutes: int = 0) -> AuditEntry:
    entry = AuditEntry.record(SERVER, act, project)
    AuditEntry.objects.filter(pk=entry.pk).update(at=NOON + timedelta(minutes=minutes))
    return entry


def ids(answer: Any) -> list[int]:
    assert answer.status == 200, answer.json
    return [item["id"] for item in answer.json["items"]]


def test_an_entry_says_who_did_what_to_what_and_why(admin: ApiClient) -> None:
    log = make_log()
    entry = AuditEntry.record(SERVER, Act.SEAL, log, reason="at once", bytes=7)
    item = admin.get("/audit").json["items"][0]
    assert item == {
        **{
            "id": entry.pk,
            "at": item["at"],
            "act": "seal",
            "actor": "buildlogs",
            "target": "demo/linux #1 compile/stdio",
        },
        **{"project": "demo", "build_number": 1, "log_id": log.pk, "reason": "at once", "details": {"bytes": 7}},
    }


def test_filters_take_what_is_theirs(admin: ApiClient) -> None:
    demo, other = make_project(), make_project("other")
    entries = [note(Act.PIN, demo), note(Act.UNPIN, demo, 60), note(Act.PIN, other, 120)]
    first, second, third = (entry.pk for entry in entries)
    assert ids(admin.get("/audit")) == [third, second, first]
    assert ids(admin.get("/audit", project="demo")) == [second, first]
    assert ids(admin.get("/audit", act="pin")) == [third, first]
    assert ids(admin.get("/audit", since="2026-03-01T13:00:00Z")) == [third, second]
    assert ids(admin.get("/audit", since="2026-03-01T13:00:00Z", act="pin", project="demo")) == []


def test_pages_follow_each_other(admin: ApiClient) -> None:
    entries = [note(Act.PIN, make_project()).pk for _ in range(5)]
    first = admin.get("/audit", limit=3)
    rest = admin.get("/audit", limit=3, cursor=first.json["next"])
    assert ids(first) + ids(rest) == entries[::-1]
    assert rest.json["next"] is None


def test_entries_of_a_project_that_is_gone_are_still_found(admin: ApiClient) -> None:
    project = make_project("gone")
    entry = note(Act.CHANGE, project)
    project.delete()
    assert ids(admin.get("/audit", project="gone")) == [entry.pk]


def test_a_token_of_one_project_reads_that_projects_entries_alone(api: ApiClient) -> None:
    demo, other = make_project(), make_project("other")
    entry = note(Act.PIN, demo)
    note(Act.PIN, other)
    client = api.with_token(make_token(project=demo, scopes=["admin"]))
    assert ids(client.get("/audit")) == [entry.pk]
    assert ids(client.get("/audit", project="other")) == []


def test_who_administers_projects_reads_their_entries_alone(bob: ApiClient) -> None:
    user, group = User.objects.get(), Group.objects.create(name="release")
    user.groups.add(group)
    by_user, by_group, written, gone = (make_project(slug) for slug in ("by-user", "by-group", "written", "gone"))
    Member.objects.create(project=by_user, user=user, role=Role.ADMIN)
    Member.objects.create(project=by_group, group=group, role=Role.ADMIN)
    Member.objects.create(project=written, user=user, role=Role.WRITER)
    Member.objects.create(project=gone, user=user, role=Role.ADMIN)
    entries = [note(Act.PIN, project).pk for project in (by_user, written, by_group, gone, make_project("public"))]
    AuditEntry.record(SERVER, Act.REVOKE, Token.issue("for all", project=None, scopes=["read"])[0])  # is of no project
    gone.delete()
    assert ids(bob.get("/audit")) == [entries[2], entries[0]]
    assert ids(bob.get("/audit", project="by-group")) == [entries[2]]
    assert ids(bob.get("/audit", project="written")) == []
    first = bob.get("/audit", limit=1)
    assert ids(first) + ids(bob.get("/audit", limit=1, cursor=first.json["next"])) == [entries[2], entries[0]]
    User.objects.update(is_active=False)
    assert bob.get("/audit").problem()[0] == 401


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.WRITER])
def test_nobody_else_reads_it(api: ApiClient, bob: ApiClient, role: Role | None) -> None:
    assert api.get("/audit").problem() == (401, "unauthorized")
    assert api.with_token(make_token(scopes=["read", "write"])).get("/audit").problem()[0] == 403
    if role is not None:
        Member.objects.create(project=make_project(), user=User.objects.get(), role=role)
    assert bob.get("/audit").problem()[0] == 403


def test_staff_reads_all_of_it(api: ApiClient) -> None:
    entry = note(Act.PIN, make_build(builder=make_builder(project=make_project(public=False))).builder.project)
    client = Client()
    client.force_login(User.objects.create_user("ada", is_staff=True))
    assert ids(ApiClient(client=client).get("/audit")) == [entry.pk]


@pytest.mark.bad_input("a filter that there is not")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"act": "sing"}, "act"),
        ({"since": "monday"}, "since"),
        ({"cursor": "YnVpbGQ6MQ"}, "cursor"),
        ({"who": "x"}, "who"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_its_field(
    admin: ApiClient, query: dict[str, str], field: str
) -> None:
    answer = admin.get("/audit", **query)
    assert answer.status in (400, 422)
    assert answer.errors == [field]
