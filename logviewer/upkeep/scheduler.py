"""The one scheduler of upkeep's jobs: in a server's thread, in a process of its own, or once from cron."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from logviewer.models import Job, RunOutcome
from logviewer.upkeep.jobs import JOBS, Report, UpkeepJob, Work
from logviewer.upkeep.leases import Lease, Result, is_due, process_name, take
from logviewer.upkeep.steadiness import Steadiness

logger = logging.getLogger(__name__)


SLICE_SECONDS = 30.0
"""How long a job that can go on where it stopped keeps the others from their turn: a million logs to be sealed take
hours, and writers fall silent meanwhile."""


class _Slice:
    """A job's time in a round. Remembers whether the job was told that it is over."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self.was_over = False

    def is_over(self) -> bool:
        """Whether the others have their turn."""
        self.was_over = self.was_over or time.monotonic() >= self._ends
        return self.was_over


class Scheduler:
    """Does jobs that are due, one after the other. Any number of processes may have one: leases keep them apart."""

    def __init__(self, stopped: Callable[[], bool] = lambda: False, jobs: Iterable[type[UpkeepJob]] = JOBS) -> None:
        self._stopped = stopped
        self._jobs = [job() for job in jobs]
        self._holder = process_name()
        self._steadiness = Steadiness()

    def do_round(self) -> None:
        """Do what is due now. One query where nothing is, and what jobs ask to see whether they have work.

        A job that has more to do than fits into SLICE_SECONDS goes on in the next round, if it can.
        A job that fails does not keep the others from their turn. Raises a database's Error where it is away.
        """
        rows = self._rows()
        self._steadiness.note()  # also while nothing asks: a clock that is only slewed gets far in a day
        for job in self._jobs:
            if self._stopped():
                return
            if self._is_wanted(job, rows[job.name]):
                self._do(job, Work(self._stopped, is_steady=self._steadiness.note), partial(self._is_wanted, job))

    def do_once(
        self, names: Iterable[str] = (), progress: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[UpkeepJob, Report | None]]:
        """Do all that upkeep does often, and the rest as far as it is due; or the jobs named, now.

        Yields what each came to; None where another process is at it. What is done often is done all the same then, as
        far as logs are not locked: the other process may have been killed a moment ago, and whoever has upkeep done
        once wants it done.
        """
        named = frozenset(names)
        rows = self._rows()
        for job in self._jobs:
            if self._stopped():
                return
            if job.name in named or (
                not named and (job.is_frequent or is_due(rows[job.name], timezone.now(), job.interval_seconds))
            ):
                work = Work(self._stopped, is_once=True, is_steady=self._steadiness.note, progress=progress)
                report = self._do(job, work)
                if report is None and job.is_frequent:
                    report = job.run(work)
                yield job, report

    def _rows(self) -> dict[str, Job]:
        """The jobs' rows, made where they are missing."""
        rows = Job.objects.in_bulk()
        missing = [Job(name=job.name) for job in self._jobs if job.name not in rows]
        if missing:
            Job.objects.bulk_create(missing, ignore_conflicts=True)
            rows = Job.objects.in_bulk()
        return rows

    def _is_wanted(self, job: UpkeepJob, row: Job) -> bool:
        """Whether the job is due, or has work that shall not wait, and nobody is at it."""
        now = timezone.now()
        if is_due(row, now, job.interval_seconds):
            return True
        return not row.failures_in_a_row and not row.holder and job.has_work()

    def _do(self, job: UpkeepJob, work: Work, wanted: Callable[[Job], bool] = lambda _row: True) -> Report | None:
        """Do one job under its lease; None where another process has that."""
        lease = take(job.name, self._holder, wanted)
        if lease is None:
            return None
        work.stopped = _stopping(self._stopped, lease)
        slice_ = _Slice(math.inf if work.is_once else SLICE_SECONDS)
        work.is_turn_over = slice_.is_over
        try:
            report = job.run(work)
        except Exception as error:
            if isinstance(error, OperationalError | InterfaceError):
                if not connection.in_atomic_block:  # as in tests, whose transaction is around it
                    connection.close_if_unusable_or_obsolete()
                logger.warning("the job %s was given up: %s", job.name, error)
            else:
                logger.exception("the job %s failed", job.name)
            report = Report(problem=f"{type(error).__name__}: {error}")
            lease.end(Result(RunOutcome.FAILED, {}, report.problem, is_broken=True), job.interval_seconds)
            return report
        result = Result(_outcome(report, work, slice_), report.counts, report.problem, has_more=slice_.was_over)
        lease.end(result, job.interval_seconds)
        return report


def _stopping(stopped: Callable[[], bool], lease: Lease) -> Callable[[], bool]:
    """Whether a job has to stop: it was told to, or another process has taken it over. Moves the lease on."""
    return lambda: stopped() or not lease.hold()


def _outcome(report: Report, work: Work, slice_: _Slice) -> RunOutcome:
    if report.problem:
        return RunOutcome.FAILED
    if work.stopped():
        return RunOutcome.STOPPED
    return RunOutcome.PART if slice_.was_over else RunOutcome.DONE
