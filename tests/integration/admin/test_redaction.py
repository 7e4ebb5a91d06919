"""Redacting lines in the admin: asked, shown, done, remembered."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client

from logviewer.chunkstore import ArchiveAway, Entry
from logviewer.intake.output import append_output, finish_log
from logviewer.live.store import chunk_store
from logviewer.models import Act, AuditEntry, LogFile
from tests.factories import make_log

pytestmark = pytest.mark.django_db

TEXT = b"begin\npassword=hunter2 \x1b[31m<b>\nend\n"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def log() -> LogFile:
    made = make_log()
    append_output(made.pk, made.key, [Entry(0, TEXT, None)])
    finish_log(made, received=None, sha256=None, unverified=False)
    return LogFile.objects.get()


def address(log: LogFile) -> str:
    return f"/admin/logviewer/logfile/{log.pk}/redact/"


def text_of(log: LogFile) -> bytes:
    with chunk_store().reader(log.key) as reader:
        return reader.read(0, 1000)


def test_the_lines_are_shown_as_they_are_before_anything_is_done(admin: Client, log: LogFile) -> None:
    page = admin.post(address(log), {"start": "2", "end": "2", "reason": "a secret"}).content.decode()
    assert "<span>2</span><bdi>password=hunter2 \u241b[31m&lt;b&gt;" in page
    assert "begin" not in page
    assert text_of(log) == TEXT
    assert not AuditEntry.objects.exists()


def test_when_confirmed_they_are_overwritten_and_it_is_remembered(admin: Client, log: LogFile) -> None:
    form = {"start": "2", "end": "2", "reason": "a secret", "confirmed": "yes"}
    answer = admin.post(address(log), form)
    assert answer.headers["Location"] == f"/admin/logviewer/logfile/{log.pk}/change/"
    assert b"hunter2" not in text_of(log)
    assert text_of(log).splitlines()[::2] == [b"begin", b"end"]
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor, entry.reason) == (Act.REDACT, "ada", "a secret")


@pytest.mark.bad_input("lines to redact that there are not")
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"start": "2", "end": "1", "reason": "x"}, "lies before the first"),
        ({"start": "0", "end": "1", "reason": "x"}, "greater than or equal to 1"),
        ({"start": "1", "end": "4", "reason": "x"}, "the log has 3 lines"),
        ({"start": "1", "end": "9" * 30, "reason": "x"}, "less than or equal to"),
        ({"start": "one", "end": "1", "reason": "x"}, "Enter a whole number"),
        ({"start": "1", "end": "1", "reason": ""}, "This field is required"),
    ],
)
@pytest.mark.parametrize("confirmed", [{}, {"confirmed": "yes"}])
def test_what_makes_no_sense_is_said_and_changes_nothing(
    admin: Client, log: LogFile, form: dict[str, str], confirmed: dict[str, str], said: str
) -> None:
    answer = admin.post(address(log), {**form, **confirmed})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert text_of(log) == TEXT


def test_what_is_held_up_is_said_to_come(admin: Client, log: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise ArchiveAway("a log", "no answer")

    monkeypatch.setattr("logviewer.admin.redaction.redact_lines", away)
    answer = admin.post(address(log), {"start": "1", "end": "1", "reason": "x", "confirmed": "yes"})
    assert "noted, and redacted as soon as that is over" in str(next(iter(get_messages(answer.wsgi_request))))


def test_who_may_only_look_redacts_nothing(client: Client, log: LogFile) -> None:
    user = User.objects.create_user("bob", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_logfile"))
    client.force_login(user)
    assert client.get(address(log)).status_code == 403
    assert "Redact lines" not in client.get(f"/admin/logviewer/logfile/{log.pk}/change/").content.decode()


def test_of_a_log_that_is_open_or_gone_nothing_is_redacted(admin: Client, log: LogFile) -> None:
    LogFile.objects.filter(pk=log.pk).update(state="open")
    form = {"start": "1", "end": "1", "reason": "x", "confirmed": "yes"}
    assert "not finished" in admin.post(address(log), form).content.decode()
    assert admin.get("/admin/logviewer/logfile/77/redact/").status_code == 404
    assert text_of(log) == TEXT
