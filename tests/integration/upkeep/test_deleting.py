"""Deleting builds and logs: what goes, what is refused, and what a crash in the middle leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from logviewer.chunkstore import Entry, NoSuchLog
from logviewer.intake.builds import finish_build
from logviewer.intake.output import append_output, finish_log
from logviewer.live.store import chunk_store
from logviewer.models import SERVER, Act, AuditEntry, Build, LogFile, Results
from logviewer.upkeep import deleting
from logviewer.upkeep.deleting import delete_build, delete_log, drop_builds, empty_build
from logviewer.upkeep.errors import BeingDeleted, Pinned, StillOpen
from logviewer.upkeep.pinning import pin_build
from tests.factories import make_build, make_log, make_step

pytestmark = pytest.mark.django_db

TEXT = b"gcc -c file.c\n" * 10


@pytest.fixture
def log() -> LogFile:
    made = make_log()
    append_output(made.pk, made.key, [Entry(0, TEXT, None)])
    return made


def finish(log: LogFile) -> Build:
    finish_log(log, received=None, sha256=None, unverified=False)
    return finish_build(log.step.build_id, Results.SUCCESS)


def files(logs_dir: Path) -> list[Path]:
    return [path for path in logs_dir.rglob("*") if path.is_file()]


def test_a_build_goes_with_its_files_and_rows_and_is_remembered_in_the_audit_log(log: LogFile, logs_dir: Path) -> None:
    build = finish(log)
    deleted = delete_build(build.pk, SERVER, "old")
    assert (deleted.logs, deleted.stored_bytes) == (1, len(TEXT))
    assert (Build.objects.count(), LogFile.objects.count(), files(logs_dir)) == (0, 0, [])
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor, entry.reason) == (Act.DELETE, "buildlogs", "old")
    assert entry.target == f"{build.builder.project.slug}/{build.builder.slug} #{build.number}"
    assert (entry.project, entry.build_number) == (build.builder.project, build.number)


def test_a_log_goes_alone(log: LogFile, logs_dir: Path) -> None:
    other = make_log(step=log.step, name="other")
    finish_log(other, received=None, sha256=None, unverified=False)
    finish(log)
    delete_log(log.pk, SERVER)
    assert list(LogFile.objects.all()) == [other]
    with pytest.raises(NoSuchLog):
        chunk_store().reader(log.key)
    assert {path.stem for path in files(logs_dir)} == {Path(other.key).name}
    assert AuditEntry.objects.get().log_id == log.pk


def test_nothing_of_what_is_open_is_deleted(log: LogFile, logs_dir: Path) -> None:
    before = files(logs_dir)
    with pytest.raises(StillOpen, match="log"):
        delete_log(log.pk, SERVER)
    with pytest.raises(StillOpen):
        delete_build(log.step.build_id, SERVER)
    finish_log(log, received=None, sha256=None, unverified=False)
    with pytest.raises(StillOpen, match="build"):
        delete_build(log.step.build_id, SERVER)
    assert files(logs_dir) == before
    assert AuditEntry.objects.count() == 0


def test_nothing_of_a_pinned_build_is_deleted(log: LogFile, logs_dir: Path) -> None:
    build = finish(log)
    Build.objects.filter(pk=build.pk).update(pinned=True)
    with pytest.raises(Pinned):
        delete_build(build.pk, SERVER)
    with pytest.raises(Pinned):
        delete_log(log.pk, SERVER)
    assert files(logs_dir)


def test_a_deletion_that_ended_in_the_middle_is_completed(log: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    build = finish(log)
    with monkeypatch.context() as patch:
        patch.setattr(deleting, "drop_builds", lambda _emptied: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError):
            delete_build(build.pk, SERVER)
    assert Build.objects.exists()
    assert AuditEntry.objects.get().act == Act.DELETE, "there is no way back, and it is known who went it"
    with pytest.raises(BeingDeleted):
        pin_build(build.pk, True, SERVER)
    delete_build(build.pk, SERVER)
    assert AuditEntry.objects.count() == 1
    assert not Build.objects.exists()
    with pytest.raises(Build.DoesNotExist):
        delete_build(build.pk, SERVER)


def test_the_rows_of_several_builds_go_together_but_for_those_that_another_process_took() -> None:
    builds = [finish(make_log(step=make_step(build=make_build()))) for _ in range(3)]
    emptied = {build.pk: deleted for build in builds if (deleted := empty_build(build.pk)) is not None}
    assert list(emptied) == [build.pk for build in builds]
    drop_builds({builds[1].pk: emptied[builds[1].pk]})
    told: list[int] = []
    with CaptureQueriesContext(connection) as queries:
        gone = drop_builds(emptied, lambda dropped: told.extend(build.pk for build, _ in dropped))
    assert gone == told == [builds[0].pk, builds[2].pk]
    assert not Build.objects.exists()
    assert sum('DELETE FROM "logviewer_build"' in query["sql"] for query in queries) == 1
    assert drop_builds(emptied) == []
