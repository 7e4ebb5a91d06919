"""Who is at a job: a lease in the job's row, taken under that row's lock, moved on while the job runs, left at its end.

It expires by itself when the process that holds it was killed. Two processes may still be at one job for a moment,
where one was held up for as long as its lease: all jobs bear that, and the one that was held up notices, and stops.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from logviewer.models import Job, JobRun, RunOutcome
from logviewer.models.job import MAX_ERROR_CHARACTERS

KEPT_RUNS = 50
"""Of each job."""

SUCCESSES = frozenset({RunOutcome.DONE, RunOutcome.PART})
"""Nothing went wrong, and nobody is waited for."""

RENEWALS_IN_LEASE = 3
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3600.0
"""A job that fails is left alone for a minute, then twice as long each time, up to this; or for its interval."""


def process_name() -> str:
    """This process, as people and other processes may tell it from others."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Result:
    """How a run ended: what it did, by name, and what went wrong, if anything did.

    `is_broken`: the job itself failed, not only something that it was about. `has_more`: it gave way to others, and is
    due at once.
    """

    outcome: RunOutcome
    counts: Mapping[str, int]
    error: str = ""
    is_broken: bool = False
    has_more: bool = False

    @property
    def is_worth_keeping(self) -> bool:
        """Whether there is anything to tell of it."""
        return self.outcome not in SUCCESSES or any(self.counts.values())


class Lease:
    """The right to do one job, for a while; made by `take`."""

    def __init__(self, name: str, holder: str, started_at: datetime) -> None:
        self.name = name
        self.holder = holder
        self._started_at = started_at
        self._began = self._renewed = time.monotonic()
        self.is_lost = False

    def hold(self) -> bool:
        """Move the lease on, if it is time to; False once another process has taken it."""
        now = time.monotonic()
        if not self.is_lost and now - self._renewed >= settings.UPKEEP_LEASE_SECONDS / RENEWALS_IN_LEASE:
            self._renewed = now
            self.is_lost = not self._mine().update(locked_until=timezone.now() + lease_time())
        return not self.is_lost

    def end(self, result: Result, interval_seconds: float) -> None:
        """Leave the job, and say how it went and when it is due again."""
        now = timezone.now()
        seconds = round(time.monotonic() - self._began, 3)
        with transaction.atomic():
            job = Job.objects.select_for_update().get(pk=self.name)
            if job.holder == self.holder:
                is_asked_for_again = job.due_at is None  # `take` left it set
                job.holder, job.locked_until = "", None
                job.due_at = now + timedelta(seconds=interval_seconds)
                _note(job, result, now, interval_seconds)
                if is_asked_for_again or result.has_more:
                    job.due_at = None
            job.seconds = seconds
            job.save()
            if result.is_worth_keeping:
                _keep(self.name, self.holder, self._started_at, seconds, result)

    def _mine(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.name, holder=self.holder)


def lease_time() -> timedelta:
    """How far a lease reaches."""
    return timedelta(seconds=settings.UPKEEP_LEASE_SECONDS)


def is_due(job: Job, now: datetime, interval_seconds: float) -> bool:
    """Whether nobody is at the job, and it is time for it. A time too far ahead was set before a clock went back."""
    latest = now + timedelta(seconds=max(interval_seconds, LONGEST_PAUSE_SECONDS))
    return _is_free(job, now) and (job.due_at is None or job.due_at <= now or job.due_at > latest)


def _is_free(job: Job, now: datetime) -> bool:
    return job.locked_until is None or not now < job.locked_until <= now + 2 * lease_time()


def take(name: str, holder: str, wanted: Callable[[Job], bool] = lambda _job: True) -> Lease | None:
    """Take the lease of a job; None where another process has it, or has done it so that it is not `wanted` any more.

    A run that a process was killed in, or held up for too long, is recorded as lost by whoever comes next.
    """
    now = timezone.now()
    free = Q(locked_until__isnull=True) | Q(locked_until__lte=now) | Q(locked_until__gt=now + 2 * lease_time())
    with transaction.atomic():
        before = Job.objects.select_for_update().filter(free, pk=name).first()
        if before is None or not wanted(before):
            return None
        if before.holder and before.started_at is not None:
            lost = Result(RunOutcome.LOST, {}, "the process did not end it: it was killed, or held up for too long")
            _keep(name, before.holder, before.started_at, None, lost)
        # What makes it due from here on, by taking the time away, asks for a run after this one: `end` sees it.
        times = {"locked_until": now + lease_time(), "started_at": now, "due_at": now}
        Job.objects.filter(pk=name).update(holder=holder, **times)
    return Lease(name, holder, now)


def _note(job: Job, result: Result, now: datetime, interval_seconds: float) -> None:
    """Write into the row of a job how it went, and when it is due because of that."""
    if result.outcome in SUCCESSES:
        job.succeeded_at, job.failures_in_a_row = now, 0
    elif result.outcome == RunOutcome.FAILED:
        job.failed_at = now
        job.failures += 1
        if result.is_broken:
            job.failures_in_a_row += 1
            pause_seconds = max(interval_seconds, _pause_seconds(job.failures_in_a_row))
            job.due_at = now + timedelta(seconds=pause_seconds)
    else:  # it was cut short: whoever comes next goes on with it
        job.due_at = None


def _pause_seconds(failures_in_a_row: int) -> float:
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures_in_a_row - 1, 10), LONGEST_PAUSE_SECONDS)


def _keep(name: str, holder: str, started_at: datetime, seconds: float | None, result: Result) -> None:
    """Remember a run, and forget the oldest ones."""
    JobRun.objects.create(
        job_id=name,
        outcome=result.outcome,
        holder=holder,
        started_at=started_at,
        seconds=seconds,
        counts={word: count for word, count in result.counts.items() if count},
        error=result.error[:MAX_ERROR_CHARACTERS],
    )
    runs = JobRun.objects.filter(job=name).order_by("-pk")
    too_old = runs.values_list("pk", flat=True)[KEPT_RUNS : KEPT_RUNS + 1].first()
    if too_old is not None:
        runs.filter(pk__lte=too_old).delete()
