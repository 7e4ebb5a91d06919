"""What upkeep does, one class a job: when it is wanted, what it does, and how it says so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from logviewer.chunkstore.sealing import THREADS
from logviewer.live.retries import Retries
from logviewer.live.store import chunk_store
from logviewer.models import Project, Redaction
from logviewer.upkeep.lost import find_lost
from logviewer.upkeep.moving import Mover
from logviewer.upkeep.redacting import HEAD_START, redact_waiting
from logviewer.upkeep.retention.expiry import Expiry
from logviewer.upkeep.samples import check_samples
from logviewer.upkeep.sealing import seal_waiting, waiting_logs
from logviewer.upkeep.silence import give_up_silent, round_seconds
from logviewer.upkeep.survey import ROUND_SECONDS, Surveyor
from logviewer.upkeep.unrecorded import record_finishes
from logviewer.upkeep.weighing import waiting_builds, weigh_waiting

MB = 1_000_000
DAY_SECONDS = 86_400.0
CHECK_SECONDS = 60.0
"""Jobs that are begun when there is work are begun this often anyway: that they are alive is seen by it."""

RECORD_SECONDS = 30.0
"""How often a part of the open logs is looked at for finishes that the database has not heard of."""

LOOKED_AT_ROWS = 1000
"""Of those that wait for a job, to see whether there is one that did not fail lately."""

TOLD_FILES = 10
SESSIONS_A_TIME = 500


@dataclass
class Work:
    """What a job is given: whether to stop, asked between two logs or builds.

    `is_turn_over`: whether others wait for their turn; only of use to a job that goes on where it stopped.
    `is_once`: an operator or cron has it done once and now. `is_steady`: whether no clock has been set lately, as far
    as this process knows; a job may run for hours, so it is asked, as `stopped` is, before what depends on it.
    `progress` is called after each log.
    """

    stopped: Callable[[], bool] = lambda: False
    is_turn_over: Callable[[], bool] = lambda: False
    is_once: bool = False
    is_steady: Callable[[], bool] = lambda: True
    progress: Callable[[], object] = lambda: None

    def gives_way(self) -> bool:
        """What a job asks instead of `stopped` that goes on where it stopped, in any process."""
        return self.stopped() or self.is_turn_over()


@dataclass
class Report:
    """What a run came to: counts by name, in words for an operator if there is anything to say, and what failed."""

    counts: dict[str, int] = field(default_factory=dict)
    words: str = ""
    problem: str = ""


class UpkeepJob(ABC):
    """One job. An object of it belongs to one scheduler and remembers what failed lately."""

    name: ClassVar[str]
    is_frequent: ClassVar[bool] = True
    """Done each time that upkeep runs once; others then too only if they are due."""

    @property
    def interval_seconds(self) -> float:
        """How long after the end of a run the next one is due."""
        return CHECK_SECONDS

    def has_work(self) -> bool:
        """Whether there is something that shall not wait until then: asked every few seconds, so it must be cheap."""
        return False

    @abstractmethod
    def run(self, work: Work) -> Report:
        """Do what there is to do now; may be stopped, killed, repeated, and done by several processes at once."""


class RecordFinishes(UpkeepJob):
    """Finishes in the database what is finished in the store."""

    name = "finishes"

    def __init__(self) -> None:
        self._looked_at_id = 0

    @property
    def interval_seconds(self) -> float:
        """Rarely: a batch costs two opens for each log."""
        return RECORD_SECONDS

    def run(self, work: Work) -> Report:
        """Look at the next batch of open logs, or once at all."""
        self._looked_at_id = record_finishes(0 if work.is_once else self._looked_at_id)
        while work.is_once and self._looked_at_id and not work.stopped():
            self._looked_at_id = record_finishes(self._looked_at_id)
        return Report()


class GiveUpSilent(UpkeepJob):
    """Gives up builds whose writers are silent, and ends them."""

    name = "silence"

    def __init__(self) -> None:
        self._retries = Retries()

    @property
    def interval_seconds(self) -> float:
        """Not much later than a writer counts as silent."""
        return round_seconds()

    def run(self, work: Work) -> Report:
        """Give up, and end."""
        found = give_up_silent(self._retries, work.gives_way)
        report = Report({"abandoned": found.abandoned, "ended": found.ended})
        if found.abandoned or found.ended:
            report.words = f"{found.abandoned} silent builds given up, {found.ended} finished"
        if found.failed:
            report.problem = f"{found.failed} silent builds not dealt with, as the log says"
        return report


class Redact(UpkeepJob):
    """Completes redactions that were cut short."""

    name = "redact"

    def __init__(self) -> None:
        self._retries = Retries()

    def has_work(self) -> bool:
        """Whether one waits that did not fail lately."""
        return _any_is_due(self._retries, Redaction.objects.filter(asked_at__lte=timezone.now() - HEAD_START))

    def run(self, work: Work) -> Report:
        """Redact what was asked for."""
        found = redact_waiting(self._retries, stopped=work.gives_way)
        words = f"{found.done} redactions completed" if found.done else ""
        problem = f"{found.failed} redactions not done, as the log says" if found.failed else ""
        return Report({"redacted": found.done}, words, problem)


class Seal(UpkeepJob):
    """Seals finished logs."""

    name = "seal"

    def __init__(self) -> None:
        self._retries = Retries()

    def has_work(self) -> bool:
        """Whether a log waits that did not fail lately."""
        return _any_is_due(self._retries, waiting_logs())

    def run(self, work: Work) -> Report:
        """Seal all that waits; in a server with one thread, so that builds and viewers keep the machine."""
        threads = THREADS if work.is_once else 1
        done = seal_waiting(self._retries, threads=threads, stopped=work.gives_way, progress=work.progress)
        left = f", {done.locked} left to another process" if done.locked else ""
        text, sealed = done.text_bytes / MB, done.sealed_bytes / MB
        return Report(
            {"sealed": done.sealed, "text_bytes": done.text_bytes, "sealed_bytes": done.sealed_bytes},
            f"{done.sealed} logs sealed, {text:.1f} MB of text in {sealed:.1f} MB{left}",
            f"{done.failed} could not be sealed, as the log says" if done.failed else "",
        )


class Move(UpkeepJob):
    """Moves sealed logs to the other store, where there is one."""

    name = "move"

    def __init__(self) -> None:
        self._mover = Mover()

    def has_work(self) -> bool:
        """Whether there is another store, and a log for it."""
        return self._mover.has_work

    def run(self, work: Work) -> Report:
        """Move all that is sealed, unless the other store was away a moment ago."""
        if not self._mover.is_due:
            return Report()
        moved = self._mover.run(work.gives_way)
        words = f"{moved.moved} logs moved to the other store" if moved.moved else ""
        problem = f"{moved.failed} logs could not be moved, as the log says" if moved.failed else ""
        if moved.away:
            problem = f"sealed logs stay here, as the other store is away: {moved.away}"
        return Report({"moved": moved.moved}, words, problem)


class Weigh(UpkeepJob):
    """Adds up what the logs of ended builds take."""

    name = "weigh"

    def has_work(self) -> bool:
        """Whether a build waits for it."""
        return waiting_builds().exists()

    def run(self, work: Work) -> Report:
        """Weigh all that wait."""
        return Report({"weighed": weigh_waiting(work.gives_way)})


class Expire(UpkeepJob):
    """Deletes what retention lets go, and completes deletions that were cut short."""

    name = "retention"
    is_frequent = False

    def __init__(self) -> None:
        self._expiry = Expiry()

    @property
    def interval_seconds(self) -> float:
        """As configured."""
        return float(settings.RETENTION_INTERVAL_SECONDS)

    def run(self, work: Work) -> Report:
        """Go through all projects; not while it is uncertain what time it is."""
        cut_short = self._expiry.complete(work.gives_way)
        if cut_short.away:
            return Report(problem=cut_short.away)  # nothing more is begun that could not be ended either
        projects = Project.objects.filter(pk__gte=self._expiry.resumes_at).order_by("pk")
        found = self._expiry.run(projects, work.stopped, work.is_steady, work.is_turn_over)
        words = (
            f"{found.builds} builds deleted, {found.logs} logs, {found.stored_bytes / MB:.1f} MB"
            if found.builds
            else ""
        )
        failed = cut_short.failed + found.failed
        problem = f"{failed} builds or logs could not be deleted, as the log says" if failed else found.away
        return Report({"builds": found.builds, "logs": found.logs, "bytes": found.stored_bytes}, words, problem)


class Survey(UpkeepJob):
    """Adds up all logs for the storage page, a slice at a time."""

    name = "survey"

    def __init__(self) -> None:
        self._surveyor = Surveyor()

    def has_work(self) -> bool:
        """Whether one has been begun here."""
        return self._surveyor.is_running

    def run(self, work: Work) -> Report:
        """Go on with it, once to its end."""
        return Report({"surveys": int(self._surveyor.run(None if work.is_once else ROUND_SECONDS))})


class ForgetSessions(UpkeepJob):
    """Deletes what sign-ins leave behind once they are out of date."""

    name = "sessions"
    is_frequent = False

    @property
    def interval_seconds(self) -> float:
        """Once a day."""
        return DAY_SECONDS

    def run(self, work: Work) -> Report:
        """Delete them, some at a time."""
        old = Session.objects.filter(expire_date__lt=timezone.now()).values_list("pk", flat=True)
        forgotten = 0
        while not work.gives_way() and (keys := list(old[:SESSIONS_A_TIME])):
            forgotten += Session.objects.filter(pk__in=keys).delete()[0]
        return Report({"sessions": forgotten})


class CheckSamples(UpkeepJob):
    """Reads a few sealed logs a day and compares them with what they should be."""

    name = "verify"
    is_frequent = False

    @property
    def interval_seconds(self) -> float:
        """Once a day."""
        return DAY_SECONDS

    def run(self, work: Work) -> Report:
        """Read as many as configured."""
        found = check_samples(settings.VERIFY_SAMPLES, work.stopped)
        damaged = ", ".join(map(str, found.damaged))
        return Report({"checked": found.checked}, problem=f"damaged logs: {damaged}" if damaged else "")


class LookForLost(UpkeepJob):
    """Looks for files that belong to no log.

    It only tells of them: where a server was started on the wrong database, all files belong to no log.
    """

    name = "lost"
    is_frequent = False

    @property
    def interval_seconds(self) -> float:
        """Once a day: it walks through all directories."""
        return DAY_SECONDS

    def run(self, work: Work) -> Report:
        """Look everywhere."""
        found, told = 0, list[str]()
        for finding in find_lost(chunk_store().root, repair=False, stopped=work.stopped):
            found += 1
            if len(told) < TOLD_FILES:
                told.append(finding.key)
        problem = f"{found} files of no log, which `verifylogs --repair` puts aside: {', '.join(told)}" if found else ""
        return Report({"lost": found}, problem=problem)


def _any_is_due(retries: Retries, waiting: QuerySet[Any]) -> bool:
    return any(map(retries.is_due, waiting.values_list("pk", flat=True)[:LOOKED_AT_ROWS]))


JOBS: tuple[type[UpkeepJob], ...] = (
    RecordFinishes,
    GiveUpSilent,
    Redact,
    Seal,
    Move,
    Weigh,
    Expire,
    Survey,
    ForgetSessions,
    CheckSamples,
    LookForLost,
)
"""In the order in which they are done; what is quick and urgent comes first."""
