"""The scheduler of upkeep: leases, runs that are remembered, jobs that fail, clocks that jump."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.utils import timezone

from logviewer.models import Build, Job, JobRun, RunOutcome
from logviewer.upkeep import leases
from logviewer.upkeep.jobs import (
    JOBS,
    CheckSamples,
    Expire,
    ForgetSessions,
    LookForLost,
    Report,
    Seal,
    UpkeepJob,
    Weigh,
    Work,
)
from logviewer.upkeep.leases import KEPT_RUNS, Lease, Result, is_due, take
from logviewer.upkeep.scheduler import Scheduler
from logviewer.upkeep.steadiness import Steadiness
from tests.factories import make_project
from tests.integration.upkeep.builds import build_with_log, ended_build, numbers

pytestmark = pytest.mark.django_db

DONE = Result(RunOutcome.DONE, {"sealed": 1})
BROKEN = Result(RunOutcome.FAILED, {}, "ValueError: no", is_broken=True)


class Recorded(UpkeepJob):
    """A job of a test: notes that it ran, and does what it is told to."""

    name = "recorded"
    ran: ClassVar[list[str]]
    does: ClassVar[Callable[[Work], Report]]
    works: ClassVar[bool]

    def has_work(self) -> bool:
        return self.works

    def run(self, work: Work) -> Report:
        self.ran.append(self.name)
        return type(self).does(work)


class Other(Recorded):
    name = "other"


@pytest.fixture(autouse=True)
def _nothing_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    for job in (Recorded, Other):
        monkeypatch.setattr(job, "ran", Recorded.ran if job is Other else [], raising=False)
        monkeypatch.setattr(job, "works", False, raising=False)
        monkeypatch.setattr(job, "does", staticmethod(lambda _work: Report({"done": 1})), raising=False)


@pytest.fixture
def job() -> Job:
    return Job.objects.create(name="recorded")


def scheduler(*jobs: type[UpkeepJob], stopped: Callable[[], bool] = lambda: False) -> Scheduler:
    return Scheduler(stopped, jobs or (Recorded,))


def test_a_lease_is_held_by_one_and_left_at_the_end(job: Job) -> None:
    lease = take("recorded", "one")
    assert lease is not None
    assert take("recorded", "two") is None
    assert lease.hold()
    lease.end(DONE, 60)
    job.refresh_from_db()
    assert (job.holder, job.locked_until, job.failures) == ("", None, 0)
    assert job.succeeded_at is not None
    assert job.due_at is not None
    assert not is_due(job, timezone.now(), 60)
    assert is_due(job, timezone.now() + timedelta(seconds=61), 60)
    assert take("recorded", "two") is not None


def test_a_killed_holders_lease_expires_and_its_run_is_told_as_lost(job: Job) -> None:
    take("recorded", "killed")
    Job.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    assert take("recorded", "next") is not None
    run = JobRun.objects.get()
    assert (run.outcome, run.holder, run.seconds) == (RunOutcome.LOST, "killed", None)


def test_who_was_held_up_for_too_long_notices_that_another_has_taken_over(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(leases, "RENEWALS_IN_LEASE", 10**9)
    late = take("recorded", "late")
    assert late is not None
    Job.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
    other = take("recorded", "other")
    assert other is not None
    assert not late.hold()
    assert other.hold()
    late.end(DONE, 60)
    job.refresh_from_db()
    assert job.holder == "other"


def test_a_lease_is_moved_on_while_the_job_runs(job: Job, monkeypatch: Any) -> None:
    lease = take("recorded", "one")
    assert lease is not None
    Job.objects.update(locked_until=timezone.now() + timedelta(seconds=1))
    assert lease.hold()
    job.refresh_from_db()
    assert job.locked_until is not None
    assert job.locked_until < timezone.now() + timedelta(seconds=2)  # not yet time for it
    monkeypatch.setattr(leases, "RENEWALS_IN_LEASE", 10**9)
    assert lease.hold()
    job.refresh_from_db()
    assert job.locked_until > timezone.now() + timedelta(seconds=30)


@pytest.mark.parametrize("ahead", [timedelta(days=400), timedelta(hours=3)])
def test_times_from_before_a_clock_went_back_hold_nobody_up(job: Job, ahead: timedelta) -> None:
    Job.objects.update(holder="gone", locked_until=timezone.now() + ahead, due_at=timezone.now() + ahead)
    job.refresh_from_db()
    assert is_due(job, timezone.now(), 60)
    assert take("recorded", "next") is not None


def test_of_each_job_the_last_runs_are_kept(job: Job) -> None:
    Job.objects.create(name="other")
    for name in ("recorded",) * (KEPT_RUNS + 5) + ("other",):
        lease = take(name, "one")
        assert lease is not None
        lease.end(DONE, 0)
    assert JobRun.objects.filter(job="recorded").count() == KEPT_RUNS
    assert JobRun.objects.filter(job="other").count() == 1


def test_a_run_that_did_nothing_leaves_no_row_but_the_time_of_its_success(job: Job) -> None:
    lease = take("recorded", "one")
    assert lease is not None
    lease.end(Result(RunOutcome.DONE, {"sealed": 0}), 60)
    assert not JobRun.objects.exists()
    job.refresh_from_db()
    assert job.succeeded_at is not None
    assert job.seconds is not None


def test_a_job_is_done_when_it_is_due_and_when_it_has_work() -> None:
    upkeep = scheduler()
    upkeep.do_round()
    upkeep.do_round()
    assert Recorded.ran == ["recorded"]
    Recorded.works = True
    upkeep.do_round()
    Recorded.works = False
    Job.objects.update(due_at=timezone.now())
    upkeep.do_round()
    assert Recorded.ran == ["recorded"] * 3
    run = JobRun.objects.first()
    assert run is not None
    assert (run.outcome, run.counts) == (RunOutcome.DONE, {"done": 1})


def test_a_job_that_fails_stops_no_other_and_is_not_tried_hot(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_work: Work) -> Report:
        raise ZeroDivisionError("of nothing")

    Recorded.does = staticmethod(fail)
    Recorded.works = True
    Other.works = True
    Other.does = staticmethod(lambda _work: Report())
    upkeep = scheduler(Recorded, Other)
    for _ in range(3):
        upkeep.do_round()
    assert Recorded.ran == ["recorded", "other", "other", "other"]
    row = Job.objects.get(name="recorded")
    assert (row.failures, row.failures_in_a_row, row.succeeded_at) == (1, 1, None)
    assert JobRun.objects.get().error == "ZeroDivisionError: of nothing"
    assert "ZeroDivisionError" in caplog.text
    pauses = []
    for _ in range(9):
        Job.objects.filter(name="recorded").update(due_at=timezone.now())
        upkeep.do_round()
        row.refresh_from_db()
        assert row.due_at is not None
        pauses.append(round((row.due_at - timezone.now()).total_seconds(), -1))
    assert pauses == [120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]


def test_what_failed_within_a_job_is_told_and_holds_nothing_up() -> None:
    Recorded.does = staticmethod(lambda _work: Report({"sealed": 2}, problem="1 could not be sealed"))
    upkeep = scheduler()
    upkeep.do_round()
    Recorded.works = True
    upkeep.do_round()
    assert len(Recorded.ran) == 2
    row = Job.objects.get()
    assert (row.failures, row.failures_in_a_row) == (2, 0)
    run = JobRun.objects.first()
    assert run is not None
    assert (run.outcome, run.counts, run.error) == (RunOutcome.FAILED, {"sealed": 2}, "1 could not be sealed")


def test_a_database_that_is_away_is_told_to_who_goes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    Recorded.does = staticmethod(away)
    upkeep = scheduler()
    upkeep.do_round()  # the job's own failure, told in its row
    assert Job.objects.get().failures == 1
    Job.objects.update(due_at=None)
    with monkeypatch.context() as patched:
        patched.setattr(Lease, "end", away)
        with pytest.raises(OperationalError):
            upkeep.do_round()


def test_a_job_that_is_told_to_stop_is_due_again_at_once() -> None:
    told: list[bool] = []

    def stop(work: Work) -> Report:
        told.append(True)
        assert work.stopped()
        return Report({"done": 3})

    Recorded.does = staticmethod(stop)
    scheduler(Recorded, Other, stopped=lambda: bool(told)).do_round()
    assert Recorded.ran == ["recorded"]
    assert JobRun.objects.get().outcome == RunOutcome.STOPPED
    assert Job.objects.get(name="recorded").due_at is None


@pytest.mark.parametrize("problem", ["", "1 could not be sealed"])
def test_a_job_with_much_to_do_gives_way_and_goes_on_in_the_next_round(
    monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    monkeypatch.setattr("logviewer.upkeep.scheduler.SLICE_SECONDS", 0.0)
    monkeypatch.setattr(Recorded, "interval_seconds", 3600.0)
    left = 3

    def much(work: Work) -> Report:
        nonlocal left
        left -= 1
        while left and not work.gives_way():
            left -= 1
        return Report({"sealed": 1}, problem=problem)

    Recorded.does = staticmethod(much)
    Other.does = staticmethod(lambda _work: Report())
    Other.works = True
    upkeep = scheduler(Recorded, Other)
    for _ in range(4):
        upkeep.do_round()
    assert Recorded.ran == [*["recorded", "other"] * 3, "other"]
    outcomes = list(JobRun.objects.order_by("pk").values_list("outcome", flat=True))
    assert outcomes == (["failed"] * 3 if problem else ["part", "part", "done"])
    row = Job.objects.get(name="recorded")
    assert (row.failures, row.failures_in_a_row) == (3 if problem else 0, 0)
    assert row.due_at is not None


def test_once_a_job_is_done_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logviewer.upkeep.scheduler.SLICE_SECONDS", 0.0)
    asked: list[bool] = []
    Recorded.does = staticmethod(lambda work: asked.append(work.gives_way()) or Report({"done": 1}))
    list(scheduler().do_once())
    assert (asked, JobRun.objects.get().outcome) == ([False], RunOutcome.DONE)


def test_jobs_that_begin_anew_each_time_do_not_give_way(logs_dir: Path) -> None:
    build_with_log(1)
    Build.objects.update(stored_bytes=None)
    over = Work(is_turn_over=lambda: True)
    assert (Seal().run(over).counts["sealed"], Weigh().run(over).counts["weighed"]) == (0, 0)
    assert (Seal().run(Work()).counts["sealed"], Weigh().run(Work()).counts["weighed"]) == (1, 1)
    stray = logs_dir / "stray.log"
    stray.write_bytes(b"")
    os.utime(stray, (0, 0))
    assert LookForLost().run(over).counts == {"lost": 1}
    assert CheckSamples().run(over).counts == {"checked": 1}


@pytest.mark.parametrize("does", ["is done", "fails", "is broken"])
def test_a_job_that_is_made_due_while_it_runs_runs_once_more(does: str) -> None:
    def asked_again(_work: Work) -> Report:
        if len(Recorded.ran) == 1:
            Job.objects.update(due_at=None)  # as the admin does
            if does == "is broken":
                raise ZeroDivisionError
        return Report(problem="one log" if does == "fails" else "")

    Recorded.does = staticmethod(asked_again)
    upkeep = scheduler()
    for _ in range(4):
        upkeep.do_round()
    assert Recorded.ran == ["recorded"] * 2


def test_a_job_that_is_made_due_while_another_process_is_at_it_runs_once_more(job: Job) -> None:
    lease = take("recorded", "another")
    assert lease is not None
    Job.objects.update(due_at=None)
    upkeep = scheduler()
    upkeep.do_round()
    assert Recorded.ran == []
    lease.end(DONE, 60)
    upkeep.do_round()
    upkeep.do_round()
    assert Recorded.ran == ["recorded"]


def test_two_schedulers_do_not_do_one_job_twice() -> None:
    first, second = scheduler(), scheduler()
    taken: list[int] = []

    def meanwhile(_work: Work) -> Report:
        second.do_round()
        taken.append(len(Recorded.ran))
        return Report()

    Recorded.does = staticmethod(meanwhile)
    first.do_round()
    second.do_round()
    assert (taken, Recorded.ran) == ([1], ["recorded"])


def test_once_does_what_is_due_and_the_jobs_named_whether_due_or_not() -> None:
    class Rare(Recorded):
        name = "rare"
        is_frequent = False

    upkeep = scheduler(Recorded, Rare)
    assert [job.name for job, _ in upkeep.do_once()] == ["recorded", "rare"]
    assert [job.name for job, _ in upkeep.do_once()] == ["recorded"]
    assert [job.name for job, _ in upkeep.do_once(["rare"])] == ["rare"]


def test_once_does_what_is_frequent_also_while_another_is_at_it_and_leaves_it_the_rest() -> None:
    class Rare(Recorded):
        name = "rare"
        is_frequent = False

    upkeep = scheduler(Recorded, Rare)
    assert len(list(upkeep.do_once())) == 2
    take("recorded", "killed a moment ago")
    take("rare", "killed a moment ago")
    assert [report.counts for _, report in upkeep.do_once() if report] == [{"done": 1}]
    assert [report for _, report in upkeep.do_once(["rare"])] == [None]
    assert Job.objects.get(name="recorded").holder == "killed a moment ago"


def test_a_round_with_nothing_to_do_asks_little(django_assert_max_num_queries: Any) -> None:
    upkeep = Scheduler()
    upkeep.do_round()
    assert set(Job.objects.values_list("name", flat=True)) == {job.name for job in JOBS}
    with django_assert_max_num_queries(4):
        upkeep.do_round()


def test_retention_waits_while_the_clock_may_be_wrong() -> None:
    make_project(keep_days=30)
    ended_build(90)
    report = Expire().run(Work(is_steady=lambda: False))
    assert "clock" in report.problem
    assert numbers() == [1]
    assert Expire().run(Work()).counts["builds"] == 1


def test_a_clock_that_is_set_while_another_job_runs_ages_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [1_000_000.0]
    monkeypatch.setattr("logviewer.upkeep.scheduler.Steadiness", lambda: Steadiness(lambda: wall[0], lambda: 500.0))
    make_project(keep_days=30)
    ended_build(90)

    def long(_work: Work) -> Report:
        wall[0] += 365 * 86_400
        return Report()

    Recorded.does = staticmethod(long)
    scheduler(Recorded, Expire).do_round()
    assert Recorded.ran == ["recorded"]
    assert numbers() == [1]
    assert "clock" in JobRun.objects.get(job="retention").error


def test_sessions_that_are_out_of_date_are_deleted_and_no_others() -> None:
    now = timezone.now()
    for key, expires_at in (("old", now - timedelta(days=1)), ("new", now + timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=expires_at)
    assert ForgetSessions().run(Work()).counts == {"sessions": 1}
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]
