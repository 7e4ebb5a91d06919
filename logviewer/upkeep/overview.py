"""What a log keeper wants to see at once: what logs take up, which are large, old, open, or stuck, and the disk.

Sums are those of the last survey; all else is asked of indexes, in a fixed number of queries, each bounded.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from logviewer.live.store import chunk_store
from logviewer.models import Build, Builder, BuildState, DamagedLog, Job, JobRun, LogFile, LogForm, LogState, RunOutcome
from logviewer.upkeep.sealing import waiting_logs
from logviewer.upkeep.survey import last_survey, total

MAX_NAMED = 20
"""Projects and builders, open builds and stuck logs that are named."""

MAX_LOGS_NAMED = 10
MAX_COUNTED = 1000
"""Of what should be few: beyond, it is said that there are more."""

STUCK_AFTER = timedelta(minutes=10)
"""A finished log is sealed within seconds, unless that fails or nothing does it."""

FAILED_LATELY = timedelta(days=1)
"""A job that failed since is named, also where it has succeeded again."""

DAYS_SHOWN = 30
WEEKS_SHOWN = 26
DAYS_A_WEEK = 7


@dataclass(frozen=True)
class Use:
    """What the logs of a project, a builder or all take up; bytes of text, of files here, and in the other store."""

    name: str
    logs: int
    text: int
    here: int
    elsewhere: int

    @property
    def stored(self) -> int:
        """All that is stored."""
        return self.here + self.elsewhere


@dataclass(frozen=True)
class Growth:
    """What was begun in a day, or a week that begins at it."""

    day: date
    logs: int
    text: int
    stored: int


@dataclass(frozen=True)
class Disk:
    """The data directory's file system, in bytes; `free` is what an ordinary user may still write."""

    size: int
    free: int

    @property
    def used(self) -> int:
        """What is not free."""
        return self.size - self.free


@dataclass(frozen=True)
class OpenBuild:
    """A build that is being written, how many of its logs are open, and since when its writer is silent."""

    build: Build
    open_logs: int
    silent_since: datetime


@dataclass(frozen=True)
class FailingJob:
    """A job that failed the last time or within a day, and what its newest failure said; empty where none is kept."""

    job: Job
    error: str


@dataclass(frozen=True)
class Overview:
    """All of it. `surveyed_at` is None where no survey has been finished yet; counts are at most MAX_COUNTED + 1."""

    now: datetime
    surveyed_at: datetime | None
    all: Use
    projects: Sequence[Use]
    builders: Sequence[Use]
    hidden_projects: int
    hidden_builders: int
    days: Sequence[Growth]
    weeks: Sequence[Growth]
    disk: Disk | None
    has_archive: bool
    largest: Sequence[LogFile]
    oldest: Sequence[LogFile]
    open_logs: int
    abandoned_logs: int
    open_builds: Sequence[OpenBuild]
    stuck_logs: int
    stuck: Sequence[LogFile]
    waiting_to_move: int
    failing: Sequence[FailingJob]
    damaged_logs: int


def overview() -> Overview:
    """Look at everything, now."""
    now = timezone.now()
    surveyed_at, figures = last_survey()
    builders, projects = _uses(figures["builders"])
    days = {date.fromisoformat(day): sums for day, sums in figures["days"].items()}
    logs = LogFile.objects.select_related("step__build__builder__project").defer("step__build__properties")
    stuck = waiting_logs().filter(finished_at__lt=now - STUCK_AFTER)
    has_archive = chunk_store().archive is not None
    return Overview(
        now=now,
        surveyed_at=surveyed_at,
        all=Use("all", *total(figures["builders"].values(), 4)),
        projects=projects[:MAX_NAMED],
        builders=builders[:MAX_NAMED],
        hidden_projects=max(0, len(projects) - MAX_NAMED),
        hidden_builders=max(0, len(builders) - MAX_NAMED),
        days=_growth(days, now.date(), DAYS_SHOWN, 1),
        weeks=_growth(days, now.date(), WEEKS_SHOWN, DAYS_A_WEEK),
        disk=_disk(),
        has_archive=has_archive,
        largest=list(logs.filter(stored_bytes__gt=0).order_by("-stored_bytes")[:MAX_LOGS_NAMED]),
        oldest=list(logs.order_by("started_at")[:MAX_LOGS_NAMED]),
        open_logs=_count(LogFile.objects.filter(state=LogState.OPEN)),
        abandoned_logs=_count(LogFile.objects.filter(state=LogState.ABANDONED)),
        open_builds=_open_builds(),
        stuck_logs=_count(stuck),
        stuck=list(stuck.select_related("step__build__builder__project").defer("step__build__properties")[:MAX_NAMED]),
        waiting_to_move=_count(LogFile.objects.filter(form=LogForm.SEALED)) if has_archive else 0,
        failing=_failing(now),
        damaged_logs=_count(DamagedLog.objects.all()),
    )


def _failing(now: datetime) -> list[FailingJob]:
    """Jobs that fail or did lately, in two queries: there are a dozen jobs, and a few runs of each are kept."""
    jobs = Job.objects.filter(Q(failures_in_a_row__gt=0) | Q(failed_at__gte=now - FAILED_LATELY))
    runs = JobRun.objects.filter(job__in=jobs, outcome__in=[RunOutcome.FAILED, RunOutcome.LOST]).order_by("pk")
    errors = dict(runs.values_list("job", "error"))
    return [FailingJob(job, errors.get(job.name, "")) for job in jobs]


def _uses(figures: dict[str, list[int]]) -> tuple[list[Use], list[Use]]:
    """What each builder and each project takes up, the largest first; builders that are gone are left out."""
    names = Builder.objects.order_by().values_list("pk", "slug", "project__slug")
    builders: list[Use] = []
    of_project: dict[str, list[list[int]]] = defaultdict(list)
    for builder, slug, project in names.iterator():
        sums = figures.get(str(builder))
        if sums is not None:
            builders.append(Use(f"{project}/{slug}", *sums))
            of_project[project].append(sums)
    projects = [Use(project, *total(rows, 4)) for project, rows in of_project.items()]
    return _largest_first(builders), _largest_first(projects)


def _largest_first(uses: list[Use]) -> list[Use]:
    return sorted(uses, key=lambda use: (-use.stored, use.name))


def _growth(days: dict[date, list[int]], today: date, periods: int, length: int) -> list[Growth]:
    """The last periods of so many days, the oldest first; the last one ends today."""
    found = []
    for place in range(periods - 1, -1, -1):
        begin = today - timedelta(days=(place + 1) * length - 1)
        rows = [days.get(begin + timedelta(days=each), [0, 0, 0]) for each in range(length)]
        found.append(Growth(begin, *total(rows, 3)))
    return found


def _disk() -> Disk | None:
    try:
        found = os.statvfs(settings.DATA_DIR)
    except OSError:
        return None
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def _count(rows: QuerySet[Any]) -> int:
    return rows.order_by().values("pk")[: MAX_COUNTED + 1].count()


def _open_builds() -> list[OpenBuild]:
    """The builds that run, those first whose writers are silent the longest."""
    running = Build.objects.filter(state=BuildState.RUNNING).select_related("builder__project").defer("properties")
    builds = list(running.order_by("heartbeat_at")[:MAX_NAMED])
    counts: dict[int, int] = defaultdict(int)
    open_logs = LogFile.objects.filter(state=LogState.OPEN, step__build__in=builds)
    for build_id in open_logs.order_by().values_list("step__build", flat=True):
        counts[build_id] += 1
    return [OpenBuild(build, counts[build.pk], build.heartbeat_at) for build in builds]
