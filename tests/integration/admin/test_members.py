"""A project's members in the admin, and what is written down of them and of tokens."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logviewer.admin.token import MAX_TABLE_TOKENS
from logviewer.models import AuditEntry, Member, Project, Role, Token
from tests.factories import make_project, make_token

pytestmark = pytest.mark.django_db
TOKENS = {"tokens-TOTAL_FORMS": 0, "tokens-INITIAL_FORMS": 0}


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def project() -> Project:
    return make_project(public=False)


def save(admin: Client, project: Project, *rows: dict[str, Any], initial: int = 0) -> Any:
    """Save the project's page with these rows in its table of members."""
    form: dict[str, Any] = {"name": project.name, "visibility": project.visibility, **TOKENS}
    form |= {"members-TOTAL_FORMS": len(rows), "members-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        form |= {f"members-{number}-{name}": value for name, value in {"project": project.pk, **row}.items()}
    return admin.post(f"/admin/logviewer/project/{project.pk}/change/", form)


def written_down() -> list[tuple[str, str, dict[str, Any]]]:
    assert set(AuditEntry.objects.values_list("actor", flat=True)) <= {"ada"}
    return list(AuditEntry.objects.order_by("id").values_list("act", "target", "details"))


def test_members_are_added_changed_and_taken_away_on_the_projects_page(admin: Client, project: Project) -> None:
    ann, group = User.objects.create_user("ann"), Group.objects.create(name="all")
    rows = [{"user": ann.pk, "role": "viewer"}, {"group": group.pk, "role": "writer"}]
    assert save(admin, project, *rows).status_code == 302
    first, second = Member.objects.order_by("id")
    changed = [
        {"id": first.pk, "user": ann.pk, "role": "admin"},
        {"id": second.pk, "group": group.pk, "role": "writer", "DELETE": "on"},
    ]
    assert save(admin, project, *changed, initial=2).status_code == 302
    assert list(Member.objects.values_list("user", "role")) == [(ann.pk, Role.ADMIN)]
    assert sorted(written_down(), key=str) == [
        ("change", "demo: member ann", {"role": "admin", "before": "viewer"}),
        ("create", "demo: member ann", {"role": "viewer"}),
        ("create", "demo: member group all", {"role": "writer"}),
        ("revoke", "demo: member group all", {"role": "writer"}),
    ]


def test_a_row_without_a_user_and_a_group_or_with_both_is_refused(admin: Client, project: Project) -> None:
    ann, group = User.objects.create_user("ann"), Group.objects.create(name="all")
    for row in ({"role": "viewer"}, {"user": ann.pk, "group": group.pk, "role": "writer"}):
        answer = save(admin, project, row | {"role": "admin"})
        assert answer.status_code == 200
        assert "one of the two" in answer.content.decode()
    assert not Member.objects.exists()


def test_a_member_of_its_own_page_changes_its_role_alone(admin: Client, project: Project) -> None:
    member = Member.objects.create(project=project, user=User.objects.create_user("ann"))
    place = f"/admin/logviewer/member/{member.pk}/"
    other = make_project("other")
    assert admin.post(f"{place}change/", {"role": "writer", "project": other.pk}).status_code == 302
    member.refresh_from_db()
    assert (member.role, member.project) == (Role.WRITER, project)
    assert admin.post(f"{place}delete/", {"post": "yes"}).status_code == 302
    assert [act for act, *_ in written_down()] == ["change", "revoke"]


def test_making_revoking_and_renaming_a_token_is_written_down_without_its_text(admin: Client, project: Project) -> None:
    form = {"name": "agent", "project": project.pk, "scopes": ["write"], "expires_at_0": "", "expires_at_1": ""}
    admin.post("/admin/logviewer/token/add/", form)
    token = Token.objects.get()
    admin.post(f"/admin/logviewer/token/{token.pk}/change/", {**form, "name": "renamed"})
    admin.post("/admin/logviewer/token/", {"action": "revoke", "_selected_action": [token.pk]})
    assert [act for act, *_ in written_down()] == ["create", "change", "revoke"]
    assert token.digest not in str(written_down())


def test_whom_a_row_names_cannot_be_changed_on_the_projects_page(admin: Client, project: Project) -> None:
    ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
    member = Member.objects.create(project=project, user=ann)
    row = {"id": member.pk, "user": bob.pk, "role": "writer"}
    assert save(admin, project, row, initial=1).status_code == 302
    member.refresh_from_db()
    assert (member.user, member.role) == (ann, Role.WRITER)


def test_a_projects_page_shows_its_members_and_tokens_and_asks_as_often_for_many(
    admin: Client, project: Project
) -> None:
    def queries(count: int) -> int:
        for number in range(count):
            Member.objects.create(project=project, user=User.objects.create_user(f"user-{count}-{number}"))
            Member.objects.create(project=project, group=Group.objects.create(name=f"group-{count}-{number}"))
            make_token(project=project)
        with CaptureQueriesContext(connection) as captured:
            page = admin.get(f"/admin/logviewer/project/{project.pk}/change/").content.decode()
        for name in (f"user-{count}-{count - 1}", f"group-{count}-0", Token.objects.latest("id").name):
            assert name in page
        return len(captured)

    queries(1)
    assert queries(2) == queries(20)


def test_a_projects_page_says_how_many_members_there_are_where_they_are_many(
    admin: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logviewer.admin.project.MAX_TABLE_MEMBERS", 1)
    address = f"/admin/logviewer/member/?project__id__exact={project.pk}"
    other = make_project("other")
    for number, of in enumerate((project, project, other)):
        Member.objects.create(project=of, user=User.objects.create_user(f"user-{number}"))
    page = admin.get(f"/admin/logviewer/project/{project.pk}/change/").content.decode()
    assert f'<a href="{address}">2</a>' in page
    assert "user-0" not in page
    listed = admin.get(address).content.decode()
    assert [name in listed for name in ("user-0", "user-1", "user-2")] == [True, True, False]
    assert "user-2" in admin.get(f"/admin/logviewer/project/{other.pk}/change/").content.decode()
    answer = admin.post(
        f"/admin/logviewer/project/{project.pk}/change/",
        {"name": "Renamed", "visibility": project.visibility, **TOKENS},
    )
    assert answer.status_code == 302
    assert (Project.objects.get(pk=project.pk).name, project.members.count()) == ("Renamed", 2)


def test_of_many_tokens_a_projects_page_shows_the_newest_and_the_way_to_all(admin: Client, project: Project) -> None:
    place = f"/admin/logviewer/project/{project.pk}/change/"
    for _ in range(MAX_TABLE_TOKENS):
        make_token(project=project)
    make_token(project=make_project("other"))
    all_of_them = '<a href="/admin/logviewer/token/?project=demo">'
    assert all_of_them not in admin.get(place).content.decode()
    make_token(project=project)
    answer = admin.get(place)
    (formset,) = [each.formset for each in answer.context["inline_admin_formsets"] if each.opts.model is Token]
    shown = [form.instance.pk for form in formset.initial_forms]
    ids = Token.objects.filter(project=project).order_by("-id").values_list("pk", flat=True)
    assert shown == list(ids[:MAX_TABLE_TOKENS])
    assert f"{all_of_them}{MAX_TABLE_TOKENS + 1}</a>" in answer.content.decode()
    assert save(admin, project).status_code == 302
    assert admin.get("/admin/logviewer/project/add/").status_code == 200
