"""Deleting builds and logs: what goes, what is refused, and what a crash in the middle leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logviewer.chunkstore import ChunkStore, Entry, LogLocked, NoSuchLog
from logviewer.intake import errors
from logviewer.intake.builds import finish_build
from logviewer.intake.logs import create_log
from logviewer.intake.output import append_output, finish_log
from logviewer.live.store import chunk_store
from logviewer.live.voided import tell_of_rows
from logviewer.models import SERVER, Act, AuditEntry, Build, LogFile, Redaction, Results
from logviewer.upkeep import deleting, lost
from logviewer.upkeep.deleting import delete_build, delete_log, drop_builds, empty_build
from logviewer.upkeep.errors import BeingDeleted, Pinned, StillOpen
from logviewer.upkeep.pinning import pin_build
from logviewer.upkeep.retention.expiry import Expiry
from logviewer.upkeep.sealing import waiting_logs
from logviewer.upkeep.weighing import weigh_waiting
from tests.factories import make_build, make_log, make_step
from tests.integration.upkeep.builds import days_ago

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


def killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("point", ["before its files", "after its files"])
def test_a_log_is_gone_once_its_deletion_has_begun_and_upkeep_completes_that(
    log: LogFile, logs_dir: Path, client: Client, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    version = finish(log).version
    assert client.get(log.get_absolute_url()).status_code == 200
    place = (ChunkStore, "delete") if point == "before its files" else (deleting, "_wait_for_insight")
    with monkeypatch.context() as patch:
        patch.setattr(*place, killed)
        with pytest.raises(KeyboardInterrupt):
            delete_log(log.pk, SERVER, "a secret")
    assert bool(files(logs_dir)) is (point == "before its files")
    assert client.get(log.get_absolute_url()).status_code == 404
    assert not LogFile.objects.exists()
    assert not log.step.logs.exists()
    assert not waiting_logs().exists()
    assert Build.objects.get().version == version + 1
    weigh_waiting()
    assert Build.objects.get().stored_bytes == 0
    monkeypatch.setattr(lost, "YOUNG_SECONDS", -1.0)
    assert list(lost.find_lost(logs_dir, repair=False)) == []
    assert Expiry().complete().logs == 0, "who asked may be at it"
    LogFile.including_deleted.update(deletion_began_at=days_ago(0.1))
    assert Expiry().complete().logs == 1
    assert (LogFile.including_deleted.count(), files(logs_dir)) == (0, [])
    assert AuditEntry.objects.get().reason == "a secret"


def test_a_log_whose_deletion_was_held_up_is_deleted_by_doing_it_again_and_told_once(
    log: LogFile, logs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(log)
    Redaction.objects.create(log=log, start=1, end=1)

    def held(key: str) -> None:
        raise LogLocked(Path(key), 0)

    with monkeypatch.context() as patch:
        patch.setattr(chunk_store(), "delete", held)
        for _ in range(2):
            with pytest.raises(LogLocked):
                delete_log(log.pk, SERVER)
    assert not Redaction.objects.exists()
    Build.objects.update(pinned=True)  # there is no way back
    assert delete_log(log.pk, SERVER).logs == 1
    assert (LogFile.including_deleted.count(), files(logs_dir), AuditEntry.objects.count()) == (0, [], 1)
    with pytest.raises(LogFile.DoesNotExist):
        delete_log(log.pk, SERVER)


class Watching:
    """Who watches a finished log, and what it learns of its row."""

    bytes_behind = 0

    def __init__(self, log: LogFile) -> None:
        self.finished_log = log.pk
        self.told: list[int | None] = []

    def row_is(self, redactions: int | None) -> None:
        self.told.append(redactions)


@pytest.mark.django_db(transaction=True)
def test_who_watches_a_log_is_told_once_its_deletion_has_begun(log: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(log)
    viewer = Watching(log)
    asyncio.run(tell_of_rows([viewer]))
    with monkeypatch.context() as patch:
        patch.setattr(ChunkStore, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            delete_log(log.pk, SERVER)
    asyncio.run(tell_of_rows([viewer]))
    assert viewer.told == [0, None]


def test_a_build_goes_with_a_log_whose_deletion_was_cut_short(
    log: LogFile, logs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = finish(log)
    with monkeypatch.context() as patch:
        patch.setattr(ChunkStore, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            delete_log(log.pk, SERVER)
    delete_build(build.pk, SERVER)
    assert (LogFile.including_deleted.count(), files(logs_dir)) == (0, [])


def test_a_name_is_free_again_once_the_log_that_had_it_is_deleted_and_not_before(
    log: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish_log(log, received=None, sha256=None, unverified=False)
    with monkeypatch.context() as patch:
        patch.setattr(ChunkStore, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            delete_log(log.pk, SERVER)
    with pytest.raises(errors.BeingDeleted, match="stdio"):
        create_log(log.step_id, log.name)
    delete_log(log.pk, SERVER)
    assert create_log(log.step_id, log.name).is_new


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
