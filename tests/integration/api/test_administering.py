"""What the scope `admin` is for: pinning, deleting, redacting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from logviewer.chunkstore import Entry, LogLocked
from logviewer.chunkstore.sealing import temporary_file
from logviewer.intake.builds import finish_build
from logviewer.intake.output import append_output, finish_log
from logviewer.live.store import chunk_store
from logviewer.models import Act, Annotation, AuditEntry, Build, Fold, Inspection, LogFile, Redaction, Results
from tests.factories import make_build, make_builder, make_log, make_project, make_step, make_token
from tests.integration.api.client import ApiClient, stored

SECRET = "hunter2"
TEXT = f"$ make\nlogin --password {SECRET}\nerror: no rule for {SECRET}\ndone\n".encode()


@pytest.fixture
def admin(api: ApiClient) -> ApiClient:
    return api.with_token(make_token(scopes=["read", "write", "admin"]))


@pytest.fixture
def log(db: None) -> LogFile:
    """A finished log of a finished build."""
    made = make_log()
    append_output(made.pk, made.key, [Entry(0, TEXT[:40], None), Entry(1, TEXT[40:], None)])
    finish_log(made, received=None, sha256=None, unverified=False)
    finish_build(made.step.build_id, Results.SUCCESS)
    return made


def files(logs_dir: Path) -> list[Path]:
    return [path for path in logs_dir.rglob("*") if path.is_file()]


def test_a_build_is_deleted_with_its_files(admin: ApiClient, log: LogFile, logs_dir: Path) -> None:
    answer = admin.send("DELETE", f"/builds/{log.step.build_id}")
    assert (answer.status, answer.json) == (204, None)
    assert admin.get(f"/builds/{log.step.build_id}").status == 404
    assert admin.get(f"/logs/{log.pk}").status == 404
    assert files(logs_dir) == []
    assert admin.send("DELETE", f"/builds/{log.step.build_id}").problem() == (404, "not-found")
    assert AuditEntry.objects.get().actor.startswith("token ")


def test_a_log_is_deleted_and_its_build_stays(admin: ApiClient, log: LogFile, logs_dir: Path) -> None:
    version = Build.objects.get().version
    assert admin.send("DELETE", f"/logs/{log.pk}").status == 204
    assert admin.get(f"/builds/{log.step.build_id}").json["steps"][0]["logs"] == []
    assert files(logs_dir) == []
    assert Build.objects.get().version == version + 1, "who watches the build sees that it changed"


def test_a_log_whose_deletion_is_held_up_is_gone_for_all_but_who_deletes_it_again(
    admin: ApiClient, log: LogFile, logs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(key: str) -> None:
        raise LogLocked(Path(key), 0)

    with monkeypatch.context() as patch:
        patch.setattr(chunk_store(), "delete", held)
        assert admin.send("DELETE", f"/logs/{log.pk}").problem() == (409, "locked")
    assert admin.get(f"/logs/{log.pk}").problem() == (404, "not-found")
    assert admin.post(f"/logs/{log.pk}/finish", {}).problem() == (404, "not-found")
    lines = {"start": 1, "end": 1, "reason": "a password"}
    assert admin.post(f"/logs/{log.pk}/redact", lines).problem() == (404, "not-found")
    assert admin.get(f"/builds/{log.step.build_id}").json["steps"][0]["logs"] == []
    assert files(logs_dir)
    assert admin.send("DELETE", f"/logs/{log.pk}").status == 204
    assert files(logs_dir) == []
    assert admin.send("DELETE", f"/logs/{log.pk}").problem() == (404, "not-found")
    assert AuditEntry.objects.count() == 1


def test_what_is_open_is_not_deleted(admin: ApiClient) -> None:
    log = make_log()
    before = stored()
    assert admin.send("DELETE", f"/logs/{log.pk}").problem() == (409, "not-finished")
    assert admin.send("DELETE", f"/builds/{log.step.build_id}").problem() == (409, "not-finished")
    assert stored() == before


def test_what_is_pinned_is_not_deleted_until_it_is_unpinned(admin: ApiClient, log: LogFile) -> None:
    build = f"/builds/{log.step.build_id}"
    assert admin.get(build).json["pinned"] is False
    assert admin.patch(build, {"pinned": True}).json["pinned"] is True
    assert admin.patch(build, {"pinned": True}).json["pinned"] is True
    assert admin.send("DELETE", build).problem() == (409, "pinned")
    assert admin.send("DELETE", f"/logs/{log.pk}").problem() == (409, "pinned")
    assert admin.patch(build, {"pinned": False}).json["pinned"] is False
    assert [entry.act for entry in AuditEntry.objects.order_by("pk")] == [Act.PIN, Act.UNPIN]
    assert admin.send("DELETE", build).status == 204


def test_pinning_needs_no_scope_but_admin_and_details_need_write(api: ApiClient, log: LogFile) -> None:
    build = f"/builds/{log.step.build_id}"
    admin_only = api.with_token(make_token(scopes=["admin"]))
    writer = api.with_token(make_token())
    assert admin_only.patch(build, {"pinned": True}).json["pinned"] is True
    assert writer.patch(build, {"title": "a"}).json["title"] == "a"
    before = stored()
    assert writer.patch(build, {"pinned": False}).problem() == (403, "forbidden")
    assert writer.patch(build, {"title": "b", "pinned": False}).problem() == (403, "forbidden")
    assert admin_only.patch(build, {"title": "b", "pinned": False}).problem() == (403, "forbidden")
    assert stored() == before


@pytest.mark.parametrize("method", ["DELETE log", "DELETE build", "POST redact", "PATCH pinned"])
def test_each_kind_of_caller_may_what_it_may(api: ApiClient, log: LogFile, method: str) -> None:
    elsewhere = make_project("elsewhere")
    private = make_log(step=make_step(build=make_build(builder=make_builder(project=make_project("p", public=False)))))

    def ask(client: ApiClient, which: LogFile) -> Any:
        if method == "POST redact":
            return client.post(f"/logs/{which.pk}/redact", {"start": 1, "end": 1, "reason": "r"})
        if method == "PATCH pinned":
            return client.patch(f"/builds/{which.step.build_id}", {"pinned": True})
        return client.send("DELETE", f"/logs/{which.pk}" if "log" in method else f"/builds/{which.step.build_id}")

    before = stored()
    assert ask(api, log).problem() == (401, "unauthorized")
    assert ask(api, private).problem() == (401, "unauthorized")
    assert ask(api.with_token("bl_wrong"), log).problem() == (401, "unauthorized")
    assert ask(api.with_token(make_token(scopes=["read", "write"])), log).problem() == (403, "forbidden")
    other = api.with_token(make_token(project=elsewhere, scopes=["admin"]))
    assert ask(other, log).problem() == (403, "forbidden")
    assert ask(other, private).problem() == (404, "not-found")
    assert stored() == before
    assert AuditEntry.objects.count() == 0
    own = api.with_token(make_token(project=log.step.build.builder.project, scopes=["admin"]))
    assert ask(own, log).status in (200, 204)


def test_redacted_lines_are_stars_and_everything_says_so(admin: ApiClient, log: LogFile, logs_dir: Path) -> None:
    before = admin.get(f"/logs/{log.pk}").json
    answer = admin.post(f"/logs/{log.pk}/redact", {"start": 2, "end": 3, "reason": "a password"})
    assert answer.status == 200
    assert (answer.json["size"], answer.json["lines"]) == (len(TEXT), 4)
    assert answer.json["sha256"] is None
    assert answer.json["text_sha256"] not in (None, before["text_sha256"])
    hidden = len(TEXT.split(b"\n", 1)[1].rsplit(b"\n", 2)[0]) + 1
    assert (answer.json["completeness"], answer.json["omitted"]) == ("omitted", hidden)
    assert admin.get(f"/logs/{log.pk}").json == answer.json
    with chunk_store().reader(log.key) as reader:
        assert reader.read(0, 1000).splitlines()[0::3] == [b"$ make", b"done"]
    assert all(SECRET.encode() not in path.read_bytes() for path in files(logs_dir))
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.reason, entry.details) == (Act.REDACT, "a password", {"start": 2, "end": 3})
    assert Redaction.objects.count() == 0


def test_what_was_found_in_the_text_goes_and_is_looked_for_again(admin: ApiClient, log: LogFile) -> None:
    LogFile.objects.filter(pk=log.pk).update(errors=1, looked_bytes=len(TEXT), looked_through=True)
    Annotation.objects.create(log=log, line=3, level="error", message=f"error: no rule for {SECRET}")
    Fold.objects.create(log=log, number=0, start=1, end=3, name=SECRET, level=1)
    Inspection.objects.create(log=log, folds=1, state={"line": SECRET})
    assert admin.post(f"/logs/{log.pk}/redact", {"start": 3, "end": 3, "reason": "r"}).json["errors"] == 0
    assert not any(found.objects.exists() for found in (Annotation, Fold, Inspection))
    row = LogFile.objects.get()
    assert (row.looked_bytes, row.looked_through, row.redactions) == (0, False, 1)


@pytest.mark.bad_input("a redaction of what is no line")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"start": 0, "end": 1, "reason": "r"}, "start"),
        ({"start": 3, "end": 2, "reason": "r"}, "body"),
        ({"start": 1, "end": 5, "reason": "r"}, "end"),
        ({"start": 1, "end": 2**63, "reason": "r"}, "end"),
        ({"start": "1", "end": 1, "reason": "r"}, "start"),
        ({"start": 1, "reason": "r"}, "end"),
        ({"start": 1, "end": 1}, "reason"),
        ({"start": 1, "end": 1, "reason": ""}, "reason"),
        ({"start": 1, "end": 1, "reason": "r" * 1001}, "reason"),
        ({"start": 1, "end": 1, "reason": "r", "text": "x"}, "text"),
    ],
    ids=str,
)
def test_lines_that_are_none_are_refused_by_name(admin: ApiClient, log: LogFile, body: Any, field: str) -> None:
    before = stored()
    answer = admin.post(f"/logs/{log.pk}/redact", body)
    assert (answer.problem(), answer.errors) == ((400, "invalid"), [field])
    assert stored() == before
    assert AuditEntry.objects.count() == Redaction.objects.count() == 0


def test_an_open_log_is_not_redacted(admin: ApiClient) -> None:
    log = make_log()
    append_output(log.pk, log.key, [Entry(0, TEXT, None)])
    answer = admin.post(f"/logs/{log.pk}/redact", {"start": 1, "end": 1, "reason": "r"})
    assert answer.problem() == (409, "not-finished")
    assert AuditEntry.objects.count() == Redaction.objects.count() == 0


def test_one_that_another_process_is_at_is_noted_and_told_once(
    admin: ApiClient, log: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logviewer.chunkstore.redacting.LOCK_WAIT_SECONDS", 0.01)
    body = {"start": 2, "end": 2, "reason": "r"}
    from logviewer.chunkstore.keys import log_files

    with temporary_file(log_files(chunk_store().root, log.key)):
        assert admin.post(f"/logs/{log.pk}/redact", body).problem() == (409, "locked")
        assert admin.post(f"/logs/{log.pk}/redact", body).problem() == (409, "locked")
    assert AuditEntry.objects.count() == Redaction.objects.count() == 1
    assert admin.post(f"/logs/{log.pk}/redact", body).status == 200
    assert (AuditEntry.objects.count(), Redaction.objects.count()) == (1, 0)


def test_an_id_that_names_nothing_is_404(admin: ApiClient) -> None:
    for number in (0, 4711, 2**63):
        assert admin.send("DELETE", f"/logs/{number}").problem() == (404, "not-found")
        assert admin.send("DELETE", f"/builds/{number}").problem() == (404, "not-found")
        body = {"start": 1, "end": 1, "reason": "r"}
        assert admin.post(f"/logs/{number}/redact", body).problem() == (404, "not-found")


def test_a_deletion_takes_no_parameters(admin: ApiClient, log: LogFile) -> None:
    assert admin.send("DELETE", f"/logs/{log.pk}", query={"force": "1"}).problem() == (400, "invalid")
    assert LogFile.objects.count() == 1
