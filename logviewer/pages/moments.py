"""Lengths and moments of time as the pages say them. `static/logviewer/js/moments.js` says them in the same words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from logviewer.models import Build, BuildState, LogFile, LogState, Step, StepState

SECONDS_A_MINUTE = 60
SECONDS_AN_HOUR = 3600
SECONDS_A_DAY = 86_400
JUST_NOW_SECONDS = 45
DAYS_UNTIL_A_DATE = 30


def duration_text(seconds: float) -> str:
    """A length of time in its two largest units: `42s`, `4m 05s`, `2h 03m`, `3d 4h`; a negative one is `0s`."""
    whole = max(0, int(seconds))
    if whole < SECONDS_A_MINUTE:
        return f"{whole}s"
    if whole < SECONDS_AN_HOUR:
        return f"{whole // SECONDS_A_MINUTE}m {whole % SECONDS_A_MINUTE:02}s"
    if whole < SECONDS_A_DAY:
        return f"{whole // SECONDS_AN_HOUR}h {whole % SECONDS_AN_HOUR // SECONDS_A_MINUTE:02}m"
    return f"{whole // SECONDS_A_DAY}d {whole % SECONDS_A_DAY // SECONDS_AN_HOUR}h"


def age_text(then: datetime, now: datetime) -> str:
    """How long ago `then` was: `just now`, `5 min ago`, `3 h ago`, `4 d ago`; beyond 30 days its date in UTC."""
    seconds = int((now - then) / timedelta(seconds=1))
    if seconds < JUST_NOW_SECONDS:
        return "just now"
    if seconds < SECONDS_AN_HOUR:
        return f"{max(1, seconds // SECONDS_A_MINUTE)} min ago"
    if seconds < SECONDS_A_DAY:
        return f"{seconds // SECONDS_AN_HOUR} h ago"
    if seconds < DAYS_UNTIL_A_DATE * SECONDS_A_DAY:
        return f"{seconds // SECONDS_A_DAY} d ago"
    return then.date().isoformat()


@dataclass(frozen=True)
class Elapsed:
    """How long something has taken so far, or took."""

    started: datetime
    finished: datetime | None
    now: datetime

    @property
    def seconds(self) -> float:
        """Seconds from the start to the finish, or to now."""
        return max(0.0, ((self.finished or self.now) - self.started).total_seconds())

    @property
    def text(self) -> str:
        """As `duration_text`."""
        return duration_text(self.seconds)

    @property
    def machine(self) -> str:
        """As HTML's `<time datetime>` takes it, `PT62S`."""
        return f"PT{int(self.seconds)}S"

    @property
    def start(self) -> str:
        """When it began, as scripts read it."""
        return self.started.isoformat()

    @property
    def end(self) -> str | None:
        """When it ended, if it has."""
        return self.finished.isoformat() if self.finished else None


@dataclass(frozen=True)
class Age:
    """When something was, seen from now."""

    then: datetime
    now: datetime

    @property
    def text(self) -> str:
        """As `age_text`."""
        return age_text(self.then, self.now)

    @property
    def machine(self) -> str:
        """As HTML's `<time datetime>` takes it."""
        return self.then.isoformat()

    @property
    def exact(self) -> str:
        """The moment in UTC, to the second."""
        return f"{self.then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def build_elapsed(build: Build, now: datetime) -> Elapsed:
    """How long the build has taken; an abandoned one is counted up to its last sign of life."""
    last = build.heartbeat_at if build.state == BuildState.ABANDONED else None
    return Elapsed(build.started_at, build.finished_at or last, now)


def step_elapsed(step: Step, build: Build, now: datetime) -> Elapsed:
    """How long a step of the build has taken; as for the build."""
    last = build.heartbeat_at if step.state == StepState.ABANDONED else None
    return Elapsed(step.started_at, step.finished_at or last, now)


def log_elapsed(log: LogFile, now: datetime) -> Elapsed:
    """How long the log has been written; an abandoned one up to its last byte."""
    last = log.written_at if log.state == LogState.ABANDONED else None
    return Elapsed(log.started_at, log.finished_at or last, now)
