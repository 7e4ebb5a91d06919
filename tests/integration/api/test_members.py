"""A project's members, tokens, name and visibility over REST: what its admins do, and what is written down of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from logviewer.models import AuditEntry, Member, Project, Role, Token
from tests.factories import make_project, make_token
from tests.integration.api.client import ApiClient

MEMBERS = "/projects/demo/members"
TOKENS = "/projects/demo/tokens"


@pytest.fixture
def project(db: None) -> Project:
    return make_project("demo", public=False)


@pytest.fixture
def keeper(api: ApiClient, project: Project) -> ApiClient:
    """A client with a token that administers the project and nothing else."""
    return api.with_token(make_token(project=project, scopes=["admin"]))


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann")


def written_down() -> list[tuple[str, str, dict[str, Any]]]:
    """The audit log, the oldest entry first."""
    return list(AuditEntry.objects.order_by("id").values_list("act", "target", "details"))


def test_a_user_becomes_a_member_and_reads(keeper: ApiClient, ann: User, api: ApiClient) -> None:
    api.client.force_login(ann)
    assert ApiClient(client=api.client).get("/projects/demo").status == 404
    answer = keeper.post(MEMBERS, {"user": "ann", "role": "viewer"})
    assert answer.status == 201
    assert answer.json | {"id": 0, "created_at": ""} == {
        "id": 0,
        "user": "ann",
        "group": None,
        "role": "viewer",
        "created_at": "",
    }
    assert ApiClient(client=api.client).get("/projects/demo").status == 200
    assert written_down() == [("create", "demo: member ann", {"role": "viewer"})]


def test_a_role_is_changed_by_setting_it_again_and_setting_the_same_changes_nothing(
    keeper: ApiClient, ann: User
) -> None:
    first = keeper.post(MEMBERS, {"user": "ann", "role": "viewer"})
    again = keeper.post(MEMBERS, {"user": "ann", "role": "viewer"})
    other = keeper.post(MEMBERS, {"user": "ann", "role": "writer"})
    assert [again.status, other.status] == [200, 200]
    assert first.json["id"] == again.json["id"] == other.json["id"]
    assert Member.objects.get().role == Role.WRITER
    assert written_down()[1:] == [("change", "demo: member ann", {"role": "writer", "before": "viewer"})]


def test_everybody_in_a_group_is_a_member(keeper: ApiClient, ann: User, api: ApiClient) -> None:
    ann.groups.add(Group.objects.create(name="release managers"))
    assert keeper.post(MEMBERS, {"group": "release managers", "role": "viewer"}).status == 201
    api.client.force_login(ann)
    session = ApiClient(client=api.client)
    assert session.get("/projects/demo").status == 200
    ann.groups.clear()
    assert session.get("/projects/demo").status == 404


def test_who_is_a_member_twice_has_the_greater_role(keeper: ApiClient, ann: User, api: ApiClient) -> None:
    ann.groups.add(Group.objects.create(name="admins"))
    keeper.post(MEMBERS, {"user": "ann", "role": "viewer"})
    keeper.post(MEMBERS, {"group": "admins", "role": "admin"})
    api.client.force_login(ann)
    assert ApiClient(client=api.client).get(MEMBERS).status == 200


def test_a_member_is_taken_away_and_a_second_time_there_is_none(keeper: ApiClient, ann: User) -> None:
    member = keeper.post(MEMBERS, {"user": "ann", "role": "admin"}).json["id"]
    assert keeper.send("DELETE", f"{MEMBERS}/{member}").status == 204
    assert keeper.send("DELETE", f"{MEMBERS}/{member}").problem() == (404, "not-found")
    assert not Member.objects.exists()
    assert written_down()[-1] == ("revoke", "demo: member ann", {"role": "admin"})


def test_another_projects_members_and_tokens_are_not_reached_through_ones_own(keeper: ApiClient, ann: User) -> None:
    other = make_project("other")
    member = Member.objects.create(project=other, user=ann)
    make_token(project=other)
    token = Token.objects.get(project=other)
    assert keeper.send("DELETE", f"{MEMBERS}/{member.pk}").status == 404
    assert keeper.send("DELETE", f"{TOKENS}/{token.pk}").status == 404
    assert keeper.send("DELETE", f"{TOKENS}/{10**40}").status == 404
    token.refresh_from_db()
    assert token.revoked_at is None
    assert Member.objects.exists()


@pytest.mark.bad_input("a member that is nobody")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "viewer"}, "user"),
        ({"user": "ann", "group": "all", "role": "viewer"}, "user"),
        ({"user": "nobody", "role": "viewer"}, "user"),
        ({"user": "", "role": "viewer"}, "user"),
        ({"user": "a\0", "role": "viewer"}, "user"),
        ({"group": "nobody", "role": "viewer"}, "group"),
        ({"user": "ann", "role": "owner"}, "role"),
        ({"user": "ann"}, "role"),
        ({"user": 1, "role": "viewer"}, "user"),
        ({"user": "ann", "role": "viewer", "since": "now"}, "since"),
    ],
)
def test_a_member_that_is_nobody_is_refused_by_name(
    keeper: ApiClient, ann: User, body: dict[str, Any], field: str
) -> None:
    answer = keeper.post(MEMBERS, body)
    assert answer.problem() == (400, "invalid")
    assert answer.errors == [field]
    assert not Member.objects.exists()
    assert written_down() == []


def test_a_token_is_made_shown_once_and_works(keeper: ApiClient, api: ApiClient) -> None:
    answer = keeper.post(TOKENS, {"name": "ci", "scopes": ["read", "read"], "expires_at": "2099-01-01T00:00:00Z"})
    assert answer.status == 201
    text = answer.json.pop("token")
    assert (answer.json["scopes"], answer.json["valid"]) == (["read"], True)
    assert api.with_token(text).get("/projects/demo").status == 200
    listed = keeper.get(TOKENS)
    assert text not in listed.response.content.decode()
    [shown] = [item for item in listed.json["items"] if item["name"] == "ci"]
    assert shown["last_used_at"] is not None
    assert "digest" not in shown
    [(act, target, details)] = written_down()
    assert (act, target, details["scopes"]) == ("create", "token ci", ["read"])
    assert text not in str(details)


def test_a_token_is_revoked_stays_in_the_list_and_is_worthless(keeper: ApiClient, api: ApiClient) -> None:
    made = keeper.post(TOKENS, {"name": "ci", "scopes": ["read"]}).json
    assert keeper.send("DELETE", f"{TOKENS}/{made['id']}").status == 204
    assert api.with_token(made["token"]).get("/projects/demo").status == 401
    first = Token.objects.get(pk=made["id"]).revoked_at
    assert keeper.send("DELETE", f"{TOKENS}/{made['id']}").status == 204
    assert Token.objects.get(pk=made["id"]).revoked_at == first is not None
    assert [act for act, *_ in written_down()] == ["create", "revoke"]
    assert [item["valid"] for item in keeper.get(TOKENS).json["items"]] == [True, False]


@pytest.mark.bad_input("a token that may nothing")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes.0"),
        ({"scopes": "read"}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"project": "other"}, "project"),
    ],
)
def test_a_token_that_may_nothing_or_makes_no_sense_is_refused(
    keeper: ApiClient, change: dict[str, Any], field: str
) -> None:
    answer = keeper.post(TOKENS, {"name": "ci", "scopes": ["read"], **change})
    assert answer.problem() == (400, "invalid")
    assert answer.errors == [field]
    assert Token.objects.count() == 1


def test_a_token_makes_none_that_outlives_it(api: ApiClient, project: Project) -> None:
    end = timezone.now() + timedelta(days=1)
    keeper = api.with_token(make_token(project=project, scopes=["admin"], expires_at=end))
    later = (end + timedelta(days=1)).isoformat()
    for body in ({"name": "ci", "scopes": ["read"]}, {"name": "ci", "scopes": ["read"], "expires_at": later}):
        assert keeper.post(TOKENS, body).errors == ["expires_at"]
    assert keeper.post(TOKENS, {"name": "ci", "scopes": ["read"], "expires_at": end.isoformat()}).status == 201


def test_name_and_visibility_change_and_what_stays_is_not_written_down(keeper: ApiClient, project: Project) -> None:
    answer = keeper.patch("/projects/demo", {"visibility": "public", "name": "demo"})
    assert (answer.status, answer.json["visibility"]) == (200, "public")
    assert written_down() == [("change", "demo", {"visibility": "public", "visibility_before": "private"})]
    assert keeper.patch("/projects/demo", {}).status == 200
    assert len(written_down()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [({"visibility": "secret"}, "visibility"), ({"name": ""}, "name"), ({"slug": "x"}, "slug"), ({"name": 1}, "name")],
)
def test_a_wrong_change_is_refused_and_nothing_is_stored(
    keeper: ApiClient, project: Project, body: dict[str, Any], field: str
) -> None:
    assert keeper.patch("/projects/demo", body).errors == [field]
    assert Project.objects.get().visibility == "private"
    assert written_down() == []


def test_lists_come_in_pages_and_ask_as_often_for_many_as_for_few(
    keeper: ApiClient, project: Project, django_assert_max_num_queries: Any
) -> None:
    users = User.objects.bulk_create([User(username=f"user-{number}") for number in range(30)])
    Member.objects.bulk_create([Member(project=project, user=user) for user in users])
    keeper.get(MEMBERS)  # notes the use of the token
    names: list[str] = []
    cursor = None
    with django_assert_max_num_queries(3 * 3):
        for _ in range(3):
            page = keeper.get(MEMBERS, limit=10, **({} if cursor is None else {"cursor": cursor})).json
            names += [item["user"] for item in page["items"]]
            cursor = page["next"]
    assert cursor is None
    assert names == [user.username for user in users]
    assert keeper.get(TOKENS, cursor=keeper.get(MEMBERS, limit=1).json["next"]).errors == ["cursor"]
