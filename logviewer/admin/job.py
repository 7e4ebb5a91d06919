"""The jobs of upkeep in the admin: how they go, what they did lately, and what they found damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from logviewer.admin.noun import BoundedAdmin, OnlyLookedAt, Ordering
from logviewer.admin.words import age, seconds_text, toned
from logviewer.models import DamagedLog, Job, JobRun
from logviewer.models.audit import target_text
from logviewer.upkeep.retention.sentence import bytes_text

BYTES = " bytes"
"""How the names of counts that are bytes end."""

if TYPE_CHECKING:
    _RunTable = admin.TabularInline[JobRun, Job]
else:  # takes no types in brackets while it runs
    _RunTable = admin.TabularInline


class _RunColumns:
    """What a run came to, in words."""

    @admin.display(description="outcome", ordering="outcome")
    def ended(self, run: JobRun) -> SafeString | str:
        """In its colour."""
        return toned(run.outcome)

    @admin.display(description="took")
    def took(self, run: JobRun) -> str:
        """Its duration."""
        return seconds_text(run.seconds)

    def did(self, run: JobRun) -> str:
        """As `counts_text`."""
        return counts_text(run)


class JobRunInline(_RunColumns, _RunTable):
    """The last runs of a job that did something or failed, to look at."""

    model = JobRun
    fields = readonly_fields = ("started_at", "ended", "took", "did", "error", "holder")
    verbose_name_plural = "last runs that did something, or failed"
    can_delete = False
    extra = max_num = 0


def counts_text(run: JobRun) -> str:
    """What a run did, in words: `12 sealed, 3.4 kB text`."""
    return ", ".join(_count_text(name.replace("_", " "), count) for name, count in run.counts.items()) or "-"


def _count_text(name: str, count: int) -> str:
    if name.endswith(BYTES):
        return f"{bytes_text(count)} {name.removesuffix(BYTES)}"
    return f"{count} {name.removesuffix('s') if count == 1 else name}"


@admin.register(Job)
class JobAdmin(OnlyLookedAt[Job]):
    """One job of upkeep."""

    list_display = ["name", "now", "succeeded", "failed", "failures", "in_a_row", "took", "due"]
    fields = [
        *("name", "now", "succeeded_at", "failed_at", "failures", "failures_in_a_row", "took", "started_at", "due_at"),
        *("holder", "locked_until"),
    ]
    readonly_fields = ["now", "took"]
    inlines = [JobRunInline]
    actions = ("run_now",)

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Whoever may change jobs may have them run."""
        return request.user.has_perm("logviewer.change_job")

    @admin.display(description="now")
    def now(self, job: Job) -> SafeString | str:
        """Whether a process is at it, as far as the row says; else how the last run ended."""
        return toned(
            "running" if job.holder else "failed" if job.failures_in_a_row else "done" if job.started_at else ""
        )

    @admin.display(description="last success", ordering="succeeded_at")
    def succeeded(self, job: Job) -> SafeString | str:
        """How long ago."""
        return age(job.succeeded_at)

    @admin.display(description="last failure", ordering="failed_at")
    def failed(self, job: Job) -> SafeString | str:
        """How long ago."""
        return age(job.failed_at)

    @admin.display(description="next run", ordering="due_at")
    def due(self, job: Job) -> SafeString | str:
        """In how long; of one that runs nobody knows it yet."""
        if job.holder:
            return ""
        return "at once" if job.due_at is None else age(job.due_at)

    @admin.display(description="in a row", ordering="failures_in_a_row")
    def in_a_row(self, job: Job) -> int:
        """Failures since the last success."""
        return job.failures_in_a_row

    @admin.display(description="last run took", ordering="seconds")
    def took(self, job: Job) -> str:
        """The last run's duration."""
        return seconds_text(job.seconds)

    @admin.action(description="Run the chosen jobs now", permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Have the next process that looks do them, within seconds where a server or `upkeep --forever` runs.

        One that is being done is done once more when it is through.
        """
        count = queryset.update(due_at=None)
        messages.success(request, f"{count} job{' is' if count == 1 else 's are'} due now.")
        if running := list(queryset.exclude(holder="").values_list("name", flat=True)):
            messages.info(request, f"Running now, and once more after that: {', '.join(running)}.")


@admin.register(JobRun)
class JobRunAdmin(_RunColumns, OnlyLookedAt[JobRun]):
    """One run of a job of upkeep."""

    list_display = ["started_at", "job", "ended", "took", "did", "error"]
    list_filter = ["outcome", "job"]
    list_select_related = ["job"]
    fields = ["job", "ended", "started_at", "took", "did", "error", "holder"]
    readonly_fields = ["ended", "took", "did"]


@admin.register(DamagedLog)
class DamagedLogAdmin(OnlyLookedAt[DamagedLog], BoundedAdmin[DamagedLog]):
    """A log that a check found damaged."""

    list_display = ["name", "found", "detail"]
    sortable_by = ()
    actions = None
    list_select_related = ["log__step__build__builder__project"]
    fields = ["log", "found_at", "detail"]

    @admin.display(description="log")
    def name(self, damaged: DamagedLog) -> str:
        """As people call it."""
        return target_text(damaged.log)

    @admin.display(description="found")
    def found(self, damaged: DamagedLog) -> SafeString | str:
        """How long ago."""
        return age(damaged.found_at)

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """The newest findings first."""
        return ["-found_at", "-pk"]
