"""What the desk says and where it leads: buttons, ways back, the dry run of retention, numbers that people can read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from logviewer.models import AuditEntry, Build, DamagedLog, Job, JobRun, LogFile, Member, Project, RunOutcome
from tests.factories import make_build, make_log, make_project, make_step
from tests.integration.upkeep.builds import ended_build

pytestmark = pytest.mark.django_db

DESK = "/admin/logviewer"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def page_of(client: Client, place: str, **query: Any) -> str:
    answer = client.get(f"{DESK}/{place}", query)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def buttons(client: Client, noun: Build | LogFile) -> list[str]:
    """The names of a page's buttons."""
    answer = client.get(f"{DESK}/{noun._meta.model_name}/{noun.pk}/change/")
    return [name for _address, name in answer.context["desk_tools"]]


def test_a_page_offers_the_acts_that_make_sense_and_its_entries(admin: Client) -> None:
    build = make_build(pinned=True)
    log = make_log(step=make_step(build=build), file=False, state="finished", form="sealed")
    assert buttons(admin, build) == ["Seal", "Verify", "Download", "Unpin", "Close as abandoned", "Delete", "Audit log"]
    assert buttons(admin, log) == [
        *("Redact lines", "Verify", "Download", "Unpin", "Close as abandoned", "Delete", "Audit log"),
    ]
    Build.objects.filter(pk=build.pk).update(pinned=False, state="finished")
    assert buttons(admin, log) == ["Redact lines", "Verify", "Download", "Pin", "Delete", "Audit log"]


def test_the_button_audit_log_leads_to_the_builds_entries(admin: Client) -> None:
    build, other = make_build(), make_build()
    for each in (build, other):
        admin.post(f"{DESK}/build/act/pin/", {"ids": each.pk, "confirmed": "yes"})
    tools = dict(map(reversed, admin.get(f"{DESK}/build/{build.pk}/change/").context["desk_tools"]))
    found = admin.get(tools["Audit log"]).context["cl"].result_list
    assert [entry.build_number for entry in found] == [build.number]


def test_who_may_not_read_the_audit_log_is_not_sent_there(client: Client) -> None:
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.add(Permission.objects.get(codename="view_build"))
    client.force_login(bob)
    AuditEntry.objects.create(act="pin", actor="ada", target="demo/linux #1")
    assert "Audit log" not in buttons(client, make_build())
    assert "demo/linux #1" not in client.get("/admin/").content.decode()


def test_an_act_leads_back_to_the_list_as_it_was_filtered(admin: Client) -> None:
    build = make_build(state="finished", results="failure")
    asked = f"{DESK}/build/?results=failure&q=demo"
    page = admin.post(asked, {"action": "pin", "_selected_action": [build.pk]}).content.decode()
    assert '<input type="hidden" name="list" value="results=failure&amp;q=demo">' in page
    assert f'<a href="{asked.replace("&", "&amp;")}" class="closelink">' in page
    form = {"ids": build.pk, "confirmed": "yes", "list": "results=failure&q=demo"}
    assert admin.post(f"{DESK}/build/act/pin/", form).headers["Location"] == asked
    stranger = {**form, "list": "//elsewhere.example/\r\nX: y"}
    assert admin.post(f"{DESK}/build/act/unpin/", stranger).headers["Location"].startswith(f"{DESK}/build/?")


def test_an_act_on_one_leads_back_to_its_page_while_there_is_one(admin: Client) -> None:
    log = make_log(file=False, state="finished", form="sealed")
    Build.objects.update(state="finished")
    form = {"ids": log.step.build_id, "confirmed": "yes", "page": "1"}
    pinned = admin.post(f"{DESK}/build/act/pin/", form)
    assert pinned.headers["Location"] == f"{DESK}/build/{log.step.build_id}/change/"
    assert admin.post(f"{DESK}/build/act/delete/", form).headers["Location"] == pinned.headers["Location"]
    admin.post(f"{DESK}/build/act/unpin/", form)
    asked = page_of(admin, "build/act/delete/", ids=log.step.build_id, page=1)
    assert f'<a href="{pinned.headers["Location"]}" class="closelink">' in asked
    assert admin.post(f"{DESK}/build/act/delete/", form).headers["Location"] == f"{DESK}/build/"
    assert not Build.objects.exists()


def test_the_dry_run_says_what_retention_would_free_and_deletes_nothing(admin: Client) -> None:
    project = make_project(keep_days=30, keep_builds=1)
    old, _last = ended_build(90, stored_bytes=1_500_000), ended_build(80, stored_bytes=10)
    page = page_of(admin, f"project/{project.pk}/retention/")
    assert "Builds are kept for 30 days." in page
    assert "<dd>1.5 MB</dd>" in page
    assert f'<a href="{DESK}/build/{old.pk}/change/">demo/linux #1</a>' in page
    assert "#2" not in page
    assert Build.objects.count() == 2
    assert admin.get(f"{DESK}/project/{2**70}/retention/").status_code == 404
    assert "What retention would free" in page_of(admin, f"project/{project.pk}/change/")


def test_the_dry_run_is_for_those_who_may_look_at_projects(client: Client) -> None:
    project = make_project()
    client.force_login(User.objects.create_user("bob", is_staff=True))
    assert client.get(f"{DESK}/project/{project.pk}/retention/").status_code == 403


def test_the_dashboard_names_jobs_that_fail_and_damaged_logs(admin: Client) -> None:
    assert "None does." in admin.get("/admin/storage/").content.decode()
    now = timezone.now()
    job = Job.objects.create(name="seal", failed_at=now - timedelta(days=3), failures_in_a_row=2)
    Job.objects.create(name="move", failed_at=now - timedelta(days=3), succeeded_at=now)
    for error in ("no room", "no room at all"):
        JobRun.objects.create(job=job, outcome=RunOutcome.FAILED, holder="host:1", started_at=now, error=error)
    DamagedLog.objects.create(log=make_log(file=False), found_at=now, detail="cut short")
    page = admin.get("/admin/storage/").content.decode()
    assert f'<a href="{DESK}/job/seal/change/">seal</a>' in page
    assert "no room at all" in page
    assert f"{DESK}/job/move/change/" not in page
    assert "1 damaged log</a> found" in page


def test_what_a_job_said_is_for_those_who_may_look_at_jobs(client: Client) -> None:
    now = timezone.now()
    job = Job.objects.create(name="seal", failed_at=now, failures_in_a_row=1)
    JobRun.objects.create(job=job, outcome=RunOutcome.FAILED, holder="host:1", started_at=now, error="no room")
    bob = User.objects.create_user("bob", is_staff=True)
    client.force_login(bob)
    page = client.get("/admin/storage/").content.decode()
    for withheld in ("no room", f"{DESK}/job/", f"{DESK}/auditentry/"):
        assert withheld not in page
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "view_auditentry"]))
    page = client.get("/admin/storage/").content.decode()
    for shown in ("no room", f"{DESK}/job/", f"{DESK}/auditentry/"):
        assert shown in page


def test_bytes_are_said_as_people_say_them_and_to_the_byte(admin: Client) -> None:
    log = make_log(file=False, size=20_184_587, received=20_184_587, stored_bytes=653_186, form="sealed")
    page = page_of(admin, f"logfile/{log.pk}/change/")
    assert "20.2 MB (20\xa0184\xa0587 bytes)" in page
    assert "653.2 kB (653\xa0186 bytes)" in page
    listed = page_of(admin, "logfile/")
    assert (">20.2 MB<" in listed, ">653.2 kB<" in listed) == (True, True)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.084, "84 ms"), (1.237, "1.24 s"), (12, "12 s"), (1234.5, "1234 s"), (86_400, "86400 s")]
)
def test_durations_are_said_in_plain_numbers(admin: Client, seconds: float, said: str) -> None:
    Job.objects.create(name="seal", seconds=seconds)
    assert f">{said}<" in page_of(admin, "job/")


def test_times_say_their_zone(admin: Client) -> None:
    build = make_build(started_at=timezone.now().replace(year=2026, month=3, day=5, hour=13, minute=7, second=9))
    assert "2026-03-05 13:07:09 UTC" in page_of(admin, f"build/{build.pk}/change/")


def test_a_member_who_is_nobody_or_two_is_refused_once(admin: Client, django_user_model: type[User]) -> None:
    project = make_project()
    ann, group = django_user_model.objects.create_user("ann"), Group.objects.create(name="all")
    for wrong in ({}, {"user": ann.pk, "group": group.pk}):
        form = {"project": project.pk, "role": "viewer", **wrong}
        page = admin.post(f"{DESK}/member/add/", form).content.decode()
        assert page.count("Choose a user or a group: one of the two.") == 1
    assert not Member.objects.exists()


def test_a_list_that_finds_nothing_says_so(admin: Client) -> None:
    assert "There are none." in page_of(admin, "build/")
    way = '<a class="desk-all" href="?">Show all</a>'
    assert f"Nothing is found that way. {way}" in page_of(admin, "build/", results="failure")
    assert Project.objects.count() == 0
