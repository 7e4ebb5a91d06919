"""Retention and leases with others at work: writers, a second process' worth of threads, people who pin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from django.db import connections

from logviewer.chunkstore import Entry
from logviewer.intake.output import append_output, finish_log
from logviewer.live.store import chunk_store
from logviewer.models import SERVER, AuditEntry, Build, Job, LogFile, Project, RetentionTally
from logviewer.upkeep.deleting import delete_project
from logviewer.upkeep.leases import take
from logviewer.upkeep.retention.expiry import Expired, Expiry
from logviewer.upkeep.weighing import weigh_waiting
from tests.factories import make_log, make_project, make_step
from tests.integration.upkeep.builds import build_with_log, ended_build

pytestmark = pytest.mark.django_db(transaction=True)

BUILDS = 12
BODIES = 60
Result = TypeVar("Result")


def in_thread(function: Callable[[], Result]) -> Callable[[], Result]:
    """The function, leaving no connection behind."""

    def call() -> Result:
        try:
            return function()
        finally:
            connections.close_all()

    return call


def run() -> Expired:
    return Expiry().run(Project.objects.all())


@pytest.mark.bad_input("retention while a log is written")
def test_a_log_that_is_being_written_stays_until_it_is_finished(logs_dir: Path) -> None:
    make_project(keep_days=30)
    log = make_log(step=make_step(build=ended_build(90)))
    for _ in range(5):
        build_with_log(90)
    written = threading.Event()

    def write() -> bytes:
        for _ in range(BODIES):
            append_output(log.pk, log.key, [Entry(0, b"a line\n", None)])
        with chunk_store().reader(log.key) as reader:
            frame = reader.frame(0, max_bytes=1_000_000)
        written.set()
        assert frame is not None
        return frame.data

    def expire() -> int:
        rounds = 0
        while not written.is_set() or not rounds:
            run()
            rounds += 1
        return rounds

    with ThreadPoolExecutor() as pool:
        text, rounds = pool.submit(in_thread(write)), pool.submit(in_thread(expire))
        assert text.result() == b"a line\n" * BODIES
        assert rounds.result() > 0
    assert list(LogFile.objects.all()) == [log]
    finish_log(log, received=7 * BODIES, sha256=None, unverified=False)
    assert run().builds == 1
    assert [path for path in logs_dir.rglob("*") if path.is_file()] == []


def test_several_at_once_delete_each_build_once_and_tell_of_each_once(logs_dir: Path) -> None:
    make_project(keep_days=30)
    for _ in range(BUILDS):
        build_with_log(90)
    kept = build_with_log(1)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(in_thread(run)) for _ in range(4)]
        assert sum(each.result().builds for each in runs) == BUILDS
    assert list(LogFile.objects.all()) == [kept]
    entries = AuditEntry.objects.filter(act="expire")
    assert sum(entry.details["builds"] for entry in entries) == BUILDS
    assert {path.parts[-3] for path in logs_dir.rglob("*") if path.is_file()} == {str(BUILDS + 1)}


def test_a_project_that_is_deleted_meanwhile_keeps_no_other_from_its_turn() -> None:
    first, second = make_project("first", keep_days=30), make_project(keep_days=30)
    ended_build(90)
    chosen = [first, second]
    delete_project(first.pk, SERVER)
    assert Expiry().run(chosen).builds == 1
    assert not RetentionTally.objects.filter(project=first.pk).exists()


def test_what_is_pinned_meanwhile_is_whole_or_gone(logs_dir: Path) -> None:
    make_project(keep_days=30)
    for _ in range(BUILDS):
        build_with_log(90)

    def pin() -> None:
        for number in range(BUILDS, 0, -1):
            Build.objects.filter(number=number, deletion_began_at=None).update(pinned=True)

    with ThreadPoolExecutor() as pool:
        others = [pool.submit(in_thread(run)), pool.submit(in_thread(pin))]
        for each in others:
            each.result()
    left = LogFile.objects.select_related("step__build")
    for log in left:
        assert log.step.build.pinned
        with chunk_store().reader(log.key) as reader:
            assert reader.end().size == log.size


def test_of_many_who_want_a_lease_one_gets_it() -> None:
    Job.objects.create(name="seal")
    with ThreadPoolExecutor(6) as pool:
        taken = [pool.submit(in_thread(lambda: take("seal", f"process {threading.get_ident()}"))) for _ in range(6)]
        leases = [each.result() for each in taken]
    (lease,) = [each for each in leases if each is not None]
    assert Job.objects.get().holder == lease.holder


def test_sums_are_right_where_logs_change_while_they_are_added_up() -> None:
    build = ended_build(1)
    step = make_step(build=build)
    logs = [make_log(step=step, name=f"log{number}") for number in range(8)]
    over = threading.Event()

    def finish_all() -> None:
        for log in logs:
            append_output(log.pk, log.key, [Entry(0, b"0123456789", None)])
            finish_log(log, received=None, sha256=None, unverified=False)
        over.set()

    def weigh() -> None:
        while not over.is_set():
            weigh_waiting()

    with ThreadPoolExecutor() as pool:
        for each in [pool.submit(in_thread(finish_all)), pool.submit(in_thread(weigh))]:
            each.result()
    weigh_waiting()
    build.refresh_from_db()
    assert build.stored_bytes == 10 * len(logs)
