"""The admin's lists: what search and filters find, and that nothing is counted."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logviewer.admin.filters import MANY_ROWS
from logviewer.models import SERVER, Act, AuditEntry, Build, LogFile
from tests.factories import make_build, make_builder, make_log, make_project, make_step

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def listed(client: Client, noun: str, **query: Any) -> list[int]:
    """The ids of a list's rows."""
    answer = client.get(f"/admin/logviewer/{noun}/", query)
    assert answer.status_code == 200, answer.content
    return [row.pk for row in answer.context["cl"].result_list]


@pytest.fixture
def builds() -> list[Build]:
    """demo/linux #1 and #2, demo/mac #1, other/linux #1, in this order, of which the second is the oldest."""
    demo, other = make_project(), make_project("other")
    linux = make_builder(project=demo)
    builders = [linux, linux, make_builder("mac", project=demo), make_builder(project=other)]
    starts = [datetime(2026, 3, 5, tzinfo=UTC), datetime(2025, 12, 31, 23, 59, tzinfo=UTC)]
    starts += [datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)]
    return [make_build(builder=builder, started_at=start) for builder, start in zip(builders, starts, strict=True)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [3, 2, 1, 0]),
        ({"q": "demo/linux #2"}, [1]),
        ({"q": "demo/linux/2"}, [1]),
        ({"q": "demo/linux"}, [1, 0]),
        ({"q": "demo"}, [2, 1, 0]),
        ({"q": "demo/linux #9"}, []),
        ({"q": "what?"}, []),
        ({"project": "other"}, [3]),
        ({"project": "nothing"}, []),
        ({"project": "demo", "q": "demo/mac"}, [2]),
        ({"project": "demo", "results": "failure"}, [0]),
        ({"results": "failure"}, [0]),
        ({"state": "finished"}, [0]),
        ({"state": "running"}, [3, 2, 1]),
        ({"pinned": "yes"}, [2]),
        ({"started": "2026"}, [3, 2, 0]),
        ({"started": "2026-03"}, [2, 0]),
        ({"started": "2026-03-05"}, [0]),
        ({"started": "2025-12"}, [1]),
        ({"started": "1h"}, []),
    ],
)
def test_search_and_filters_find_builds(
    admin: Client, builds: list[Build], query: dict[str, str], expected: list[int]
) -> None:
    Build.objects.filter(pk=builds[0].pk).update(state="finished", results="failure")
    Build.objects.filter(pk=builds[2].pk).update(pinned=True)
    found = listed(admin, "build", **query)
    wanted = [builds[place].pk for place in expected]
    assert found == (sorted(wanted, key=lambda pk: -starts(pk)) if "started" in query else wanted)


def starts(pk: int) -> float:
    return Build.objects.get(pk=pk).started_at.timestamp()


def test_a_build_and_a_log_are_found_by_id_and_a_log_by_its_key(admin: Client, builds: list[Build]) -> None:
    log = make_log(step=make_step(build=builds[1]), file=False)
    assert listed(admin, "build", q=str(builds[3].pk)) == [builds[3].pk]
    assert listed(admin, "logfile", q=str(log.pk)) == [log.pk]
    assert listed(admin, "logfile", q=log.key) == [log.pk]
    assert listed(admin, "logfile", q="demo/linux #2") == [log.pk]
    assert listed(admin, "logfile", q="demo/linux #1") == []
    assert listed(admin, "logfile", project="demo") == [log.pk]
    assert listed(admin, "logfile", project="other") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "open"}, ["open"]),
        ({"state": "finished"}, ["sealed", "plain"]),
        ({"form": "plain"}, ["open", "plain"]),
        ({"form": "unsealed"}, ["plain"]),
        ({"form": "sealed"}, ["sealed"]),
        ({"form": "archived"}, []),
        ({"completeness": "omitted"}, ["plain"]),
        ({"completeness": "verified"}, ["sealed"]),
        ({"type": "html"}, ["sealed"]),
        ({"type": "stdio"}, ["open", "plain"]),
    ],
)
def test_filters_find_logs(admin: Client, query: dict[str, str], expected: list[str]) -> None:
    step = make_step()
    rows: dict[str, dict[str, Any]] = {
        "plain": {"state": "finished", "completeness": "omitted"},
        "open": {},
        "sealed": {"state": "finished", "form": "sealed", "completeness": "verified", "type": "html"},
    }
    for name, fields in rows.items():
        make_log(step=step, name=name, file=False, **fields)
    found = listed(admin, "logfile", **query)
    assert [LogFile.objects.get(pk=pk).name for pk in found] == [
        name for name in ("sealed", "open", "plain") if name in expected
    ]


def test_what_many_logs_are_is_found_by_what_else_is_asked_for(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    step = make_step()
    fields: list[dict[str, Any]] = [{"type": "text", "completeness": "omitted"}, {"type": "text"}, {}]
    logs = [make_log(step=step, name=f"log{place}", file=False, **each) for place, each in enumerate(fields)]
    query = {"type": "text", "completeness": "omitted"}
    assert listed(admin, "logfile", **query) == [logs[0].pk]
    monkeypatch.setitem(MANY_ROWS, LogFile, 1)
    with CaptureQueriesContext(connection) as queries:
        assert listed(admin, "logfile", **query) == [logs[0].pk]
    asked = next(query["sql"] for query in queries if "LIMIT 1001" in query["sql"])
    assert re.search(r"""CASE WHEN \(?"logviewer_logfile"."type" = 'text'""", asked)
    assert listed(admin, "logfile", type="text") == [logs[1].pk, logs[0].pk]


@pytest.mark.bad_input("a filter that there is not")
@pytest.mark.parametrize(
    "query",
    [
        {"state": "gone"},
        {"form": "liquid"},
        {"started": "2026-13"},
        {"started": "yesterday"},
        {"started": "0000"},
        {"p": "77"},
    ],
)
def test_a_choice_that_there_is_not_shows_the_whole_list(admin: Client, query: dict[str, str]) -> None:
    make_log(file=False)
    answer = admin.get("/admin/logviewer/logfile/", query)
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/admin/logviewer/logfile/?e=1")


def test_the_list_ends_after_a_thousand_and_says_that_there_are_more(admin: Client) -> None:
    builder = make_builder()
    Build.objects.bulk_create(Build(builder=builder, number=number) for number in range(1, 1002))
    page = admin.get("/admin/logviewer/build/", {"p": "20"}).content.decode()
    assert "There are more: these are the first 1000" in page
    assert "in all" not in page
    Build.objects.filter(number=1).delete()
    assert "There are more" not in admin.get("/admin/logviewer/build/").content.decode()


@pytest.mark.parametrize("noun", ["build", "step", "logfile", "auditentry", "delivery", "damagedlog"])
def test_no_list_counts_its_table(admin: Client, noun: str) -> None:
    log = make_log(file=False)
    AuditEntry.record(SERVER, Act.PIN, log)
    with CaptureQueriesContext(connection) as queries:
        admin.get(f"/admin/logviewer/{noun}/")
    counts = [query["sql"] for query in queries if re.search(r"COUNT\(\*\)", query["sql"])]
    assert counts == []


def test_sorting_is_for_the_whole_list_alone(admin: Client) -> None:
    step = make_step()
    logs = [make_log(step=step, name=f"log{size}", file=False, stored_bytes=size, form="sealed") for size in (2, 3, 1)]
    small_first = [logs[2].pk, logs[0].pk, logs[1].pk]
    assert listed(admin, "logfile", o="7") == small_first
    assert listed(admin, "logfile", o="7", form="sealed") == [log.pk for log in reversed(logs)]


def test_the_audit_log_is_searched_and_filtered(admin: Client) -> None:
    build = make_build()
    entries = [AuditEntry.record(SERVER, Act.PIN, build), AuditEntry.record(SERVER, Act.SEAL, make_log(file=False))]
    first, second = (entry.pk for entry in entries)
    assert listed(admin, "auditentry", act="pin") == [first]
    assert listed(admin, "auditentry", q="demo/linux #1") == [first]
    assert listed(admin, "auditentry", q="demo/linux") == [second, first]
    assert listed(admin, "auditentry", q="demo") == [second, first]
    assert listed(admin, "auditentry", q="buildlogs") == [second, first]
    assert listed(admin, "auditentry", project="other") == []
    assert listed(admin, "auditentry", started="1h") == [second, first]


def test_the_audit_log_is_not_changed_here(admin: Client) -> None:
    entry = AuditEntry.record(SERVER, Act.PIN, make_build())
    place = "/admin/logviewer/auditentry/"
    assert admin.get(f"{place}{entry.pk}/change/").status_code == 200
    assert admin.post(f"{place}{entry.pk}/change/", {"actor": "nobody"}).status_code == 403
    assert admin.post(f"{place}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get(f"{place}add/").status_code == 403
