"""The admin shows everything, makes projects and tokens, and keeps its hands off the rest."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.forms import ModelForm
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from logviewer.models import Act, AuditEntry, Build, Builder, Job, JobRun, LogFile, Project, RunOutcome, Step, Token
from logviewer.models.token import digest
from tests.factories import make_build, make_builder, make_log, make_project, make_step, make_token

pytestmark = pytest.mark.django_db

NOUNS = ("project", "builder", "build", "step", "logfile", "token")


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


NO_ROWS = {f"{table}-{word}_FORMS": 0 for table in ("members", "tokens") for word in ("TOTAL", "INITIAL")}
"""What a project's form says of its tables where nothing is changed in them."""


def list_of(noun: str) -> str:
    return f"/admin/logviewer/{noun}/"


def grow(number: int) -> None:
    project = make_project(f"project{number}")
    build = make_build(builder=make_builder(project=project))
    make_log(step=make_step(build=build))
    make_token(project=project)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_list_can_be_looked_at_and_searched(admin: Client, noun: str) -> None:
    grow(1)
    assert admin.get(list_of(noun)).status_code == 200
    assert admin.get(list_of(noun), {"q": "project1"}).status_code == 200


@pytest.mark.parametrize("noun", NOUNS)
def test_a_list_asks_as_often_for_many_as_for_few(admin: Client, noun: str) -> None:
    counts = []
    for number in (2, 7):
        for each in range(number):
            grow(number * 10 + each)
        with CaptureQueriesContext(connection) as queries:
            admin.get(list_of(noun))
        # Filters by project and date hierarchies do not depend on the number of rows, forms in the list do not ask.
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("model", [Project, Builder, Build, Step, LogFile])
def test_a_noun_shows_the_way_to_its_page(
    admin: Client, model: type[Project] | type[Builder] | type[Build] | type[Step] | type[LogFile]
) -> None:
    grow(1)
    noun = model.objects.get()
    page = admin.get(f"{list_of(model._meta.model_name or '')}{noun.pk}/change/").content.decode()
    assert f'href="{noun.get_absolute_url()}"' in page


@pytest.mark.parametrize("model", [Build, Step, LogFile])
def test_what_intake_makes_is_not_made_changed_or_deleted_here(
    admin: Client, model: type[Build] | type[Step] | type[LogFile]
) -> None:
    grow(1)
    noun = model.objects.get()
    place = list_of(model._meta.model_name or "")
    assert admin.get(f"{place}add/").status_code == 403
    assert admin.post(f"{place}{noun.pk}/change/", {"state": "finished"}).status_code == 403
    assert admin.post(f"{place}{noun.pk}/delete/", {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=noun.pk).exists()


def test_of_a_builder_only_its_retention_is_changed_here(admin: Client) -> None:
    grow(1)
    builder = Builder.objects.get()
    Project.objects.update(keep_days=30)
    place = list_of("builder")
    assert admin.get(f"{place}add/").status_code == 403
    assert admin.post(f"{place}{builder.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.post(f"{place}{builder.pk}/change/", {"slug": "other", "keep_successful": "3"}).status_code == 302
    builder.refresh_from_db()
    assert (builder.slug, builder.keep_successful, builder.keep_days) == ("linux", 3, None)
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor, entry.target) == (Act.CHANGE, "ada", "project1/linux")
    assert entry.details == {"keep_successful": 3}
    page = admin.get(f"{place}{builder.pk}/change/").content.decode()
    assert "Builds are kept for 30 days. The last 3 successful ones and pinned ones always stay." in page


def test_a_projects_form_says_its_retention_in_words(admin: Client) -> None:
    project = make_project(keep_days=30)
    page = admin.get(f"{list_of('project')}{project.pk}/change/").content.decode()
    assert "Builds are kept for 30 days. Pinned ones always stay." in page


def test_a_new_token_is_shown_once_and_works(admin: Client) -> None:
    project = make_project()
    form = {"name": "agent", "project": project.pk, "scopes": ["write"], "expires_at_0": "", "expires_at_1": ""}
    page = admin.post(f"{list_of('token')}add/", form, follow=True).content.decode()
    found = re.search(r"bl_[\w-]{20,}", page)
    assert found is not None
    token = Token.objects.get()
    assert token.digest == digest(found[0])
    assert (token.name, token.project, token.scopes) == ("agent", project, ["write"])
    for address in (list_of("token"), f"{list_of('token')}{token.pk}/change/"):
        later = admin.get(address).content.decode()
        assert found[0] not in later
        assert token.digest not in later


def test_a_token_without_scopes_is_refused(admin: Client) -> None:
    page = admin.post(f"{list_of('token')}add/", {"name": "agent"}).content.decode()
    assert "This field is required" in page
    assert not Token.objects.exists()


def test_a_tokens_rights_do_not_change_but_its_name_does(admin: Client) -> None:
    make_token(project=make_project(), scopes=["read"])
    token = Token.objects.get()
    form = {"name": "renamed", "scopes": ["admin"], "project": "", "expires_at_0": "", "expires_at_1": ""}
    assert admin.post(f"{list_of('token')}{token.pk}/change/", form).status_code == 302
    changed = Token.objects.get()
    assert changed.name == "renamed"
    assert (changed.scopes, changed.project, changed.digest) == (["read"], token.project, token.digest)


def test_tokens_are_revoked_and_told_apart(admin: Client) -> None:
    make_token()
    make_token()
    first, second = Token.objects.order_by("id")
    admin.post(list_of("token"), {"action": "revoke", "_selected_action": [first.pk]})
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.revoked_at is not None
    assert second.is_valid
    Token.objects.filter(pk=second.pk).update(expires_at=timezone.now())
    revoked = admin.get(list_of("token"), {"valid": "revoked"}).content.decode()
    expired = admin.get(list_of("token"), {"valid": "expired"}).content.decode()
    assert (first.name in revoked, second.name in revoked) == (True, False)
    assert (first.name in expired, second.name in expired) == (False, True)
    assert "Nothing is found that way" in admin.get(list_of("token"), {"valid": "yes"}).content.decode()


def test_a_project_is_made_public_in_the_list_and_keeps_its_slug(admin: Client) -> None:
    project = make_project(public=False)
    form = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": project.pk, "form-0-visibility": "public"}
    assert admin.post(list_of("project"), {**form, "_save": "Save"}).status_code == 302
    admin.post(
        f"{list_of('project')}{project.pk}/change/",
        {"name": "Demo", "slug": "other", "visibility": "public", **NO_ROWS},
    )
    project.refresh_from_db()
    assert (project.slug, project.name, project.visibility) == ("demo", "Demo", "public")


def test_a_project_with_builders_is_not_deleted_here(admin: Client) -> None:
    project = make_builder().project
    assert admin.post(f"{list_of('project')}{project.pk}/delete/", {"post": "yes"}).status_code == 403
    empty = make_project("empty")
    assert admin.post(f"{list_of('project')}{empty.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Project.objects.all()) == [project]


def test_a_projects_limits_are_empty_zero_or_a_number_of_bytes(admin: Client) -> None:
    project = make_project("limited")
    form = {"name": "Limited", "visibility": "private", "max_log_bytes": "1000000", "max_tail_bytes": "0", **NO_ROWS}
    assert admin.post(f"{list_of('project')}{project.pk}/change/", form).status_code == 302
    project.refresh_from_db()
    assert (project.max_log_bytes, project.max_tail_bytes) == (1_000_000, 0)
    for wrong in ({"max_log_bytes": "-1"}, {"max_tail_bytes": str(64 * 2**20 + 1)}):
        assert admin.post(f"{list_of('project')}{project.pk}/change/", {**form, **wrong}).status_code == 200
    admin.post(f"{list_of('project')}{project.pk}/change/", {**form, "max_log_bytes": "", "max_tail_bytes": ""})
    project.refresh_from_db()
    assert (project.max_log_bytes, project.max_tail_bytes) == (None, None)


def test_saving_a_project_leaves_the_version_that_builds_raise(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(public=False)
    clean = ModelForm.full_clean

    def raised_meanwhile(form: Any) -> None:
        clean(form)
        Project.objects.filter(pk=project.pk).update(version=41)

    monkeypatch.setattr(ModelForm, "full_clean", raised_meanwhile)
    answer = admin.post(
        f"{list_of('project')}{project.pk}/change/", {"name": "Demo", "visibility": "public", **NO_ROWS}
    )
    assert answer.status_code == 302
    project.refresh_from_db()
    assert (project.version, project.name, project.visibility) == (41, "Demo", "public")


def test_jobs_are_looked_at_and_made_due(admin: Client) -> None:
    job = Job.objects.create(name="seal", due_at=timezone.now() + timedelta(hours=1), failures=3)
    JobRun.objects.create(
        job=job,
        outcome=RunOutcome.FAILED,
        holder="host:1",
        started_at=timezone.now(),
        counts={"text_bytes": 7},
        error="no room",
    )
    page = admin.get(f"{list_of('job')}seal/change/").content.decode()
    assert "no room" in page
    assert "7 bytes text" in page
    assert "no room" in admin.get(list_of("jobrun")).content.decode()
    assert admin.get(f"{list_of('job')}add/").status_code == 403
    assert admin.post(list_of("job"), {"action": "run_now", "_selected_action": ["seal"]}).status_code == 302
    job.refresh_from_db()
    assert (job.due_at, job.failures) == (None, 3)
    Job.objects.create(name="move", holder="host:1")
    said = admin.post(list_of("job"), {"action": "run_now", "_selected_action": ["seal", "move"]}, follow=True).content
    assert b"2 jobs are due now." in said
    assert b"Running now, and once more after that: move." in said
    Job.objects.filter(name="move").update(due_at=timezone.now())  # as whoever takes it leaves it
    listed = admin.get(list_of("job")).content.decode()
    assert "at once" in listed  # seal
    assert "just now" not in listed  # move


def test_who_may_only_look_makes_no_job_due(client: Client) -> None:
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(user)
    due_at = timezone.now() + timedelta(hours=1)
    Job.objects.create(name="seal", due_at=due_at)
    assert client.get(list_of("job")).status_code == 200
    client.post(list_of("job"), {"action": "run_now", "_selected_action": ["seal"]})
    assert Job.objects.get().due_at == due_at
