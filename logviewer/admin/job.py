"""The jobs of upkeep in the admin: how they go, what they did lately, and what they found damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from logviewer.admin.noun import BoundedAdmin, OnlyLookedAt, Ordering
from logviewer.models import DamagedLog, Job, JobRun

if TYPE_CHECKING:
    _RunTable = admin.TabularInline[JobRun, Job]
else:  # takes no types in brackets while it runs
    _RunTable = admin.TabularInline


class JobRunInline(_RunTable):
    """The last runs of a job that did something or failed, to look at."""

    model = JobRun
    fields = readonly_fields = ("started_at", "outcome", "seconds", "did", "error", "holder")
    can_delete = False
    extra = max_num = 0

    def did(self, run: JobRun) -> str:
        """As `counts_text`."""
        return counts_text(run)


def counts_text(run: JobRun) -> str:
    """What a run did, in words: `12 sealed, 3400 text bytes`."""
    return ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in run.counts.items())


@admin.register(Job)
class JobAdmin(OnlyLookedAt[Job]):
    """One job of upkeep."""

    list_display = ["name", "succeeded_at", "failed_at", "failures", "seconds", "started_at", "due_at", "is_running"]
    fields = [
        *("name", "succeeded_at", "failed_at", "failures", "failures_in_a_row", "seconds", "started_at", "due_at"),
        *("holder", "locked_until"),
    ]
    inlines = [JobRunInline]
    actions = ("run_now",)

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Whoever may change jobs may have them run."""
        return request.user.has_perm("logviewer.change_job")

    @admin.display(description="running", boolean=True)
    def is_running(self, job: Job) -> bool:
        """Whether a process is at it, as far as the row says."""
        return bool(job.holder)

    @admin.action(description="Run the chosen jobs now", permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Have the next process that looks do them, within seconds where a server or `upkeep --forever` runs."""
        count = queryset.update(due_at=None)
        messages.success(request, f"{count} job{' is' if count == 1 else 's are'} due now.")


@admin.register(JobRun)
class JobRunAdmin(OnlyLookedAt[JobRun]):
    """One run of a job of upkeep."""

    list_display = ["job", "started_at", "outcome", "seconds", "did", "error"]
    list_filter = ["outcome", "job"]
    fields = ["job", "outcome", "started_at", "seconds", "did", "error", "holder"]
    readonly_fields = ["did"]

    def did(self, run: JobRun) -> str:
        """As `counts_text`."""
        return counts_text(run)


@admin.register(DamagedLog)
class DamagedLogAdmin(OnlyLookedAt[DamagedLog], BoundedAdmin[DamagedLog]):
    """A log that a check found damaged."""

    list_display = ["log", "found_at", "detail"]
    sortable_by = ()
    actions = None
    list_select_related = ["log__step__build__builder__project"]
    fields = ["log", "found_at", "detail"]

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """The newest findings first."""
        return ["-found_at", "-pk"]
