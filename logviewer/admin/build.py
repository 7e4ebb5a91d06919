"""Builds and steps in the admin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars

from logviewer.admin.acting import ActingAdmin
from logviewer.admin.filters import DateFilter, ProjectFilter, word_filter
from logviewer.admin.noun import MadeByIntake, Ordering, shown_id, way_to
from logviewer.admin.words import age, exact_bytes, json_text, toned, yes_or_no
from logviewer.models import Build, BuildState, LogFile, Results, Step
from logviewer.models.audit import target_text
from logviewer.upkeep import acts
from logviewer.upkeep.retention.sentence import bytes_text
from logviewer.upkeep.weighing import TAKEN_BYTES

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    _StepTable = admin.TabularInline[Step, Build]
    _LogFileTable = admin.TabularInline[LogFile, Step]
else:  # takes no types in brackets while it runs
    _StepTable = _LogFileTable = admin.TabularInline

TITLE_CHARACTERS = 60
BRANCH_CHARACTERS = 24

MAX_INLINE_ROWS = 100
"""Steps of a build, and logs of a step, on its page: there are builds with thousands."""


class _ResultsColumn:
    """How a build or a step ended."""

    @admin.display(description="results")
    def ended(self, noun: Build | Step) -> SafeString | str:
        """In its colour."""
        return toned(noun.results or "")


class StepInline(_ResultsColumn, _StepTable):
    """The steps of a build, to look at."""

    model = Step
    fields = readonly_fields = ("number", "way", "state", "ended", "started_at", "finished_at")
    can_delete = False
    extra = max_num = 0
    verbose_name_plural = f"steps, the first {MAX_INLINE_ROWS}"

    @admin.display(description="name")
    def way(self, step: Step) -> SafeString:
        """The way to its own page."""
        return way_to(step, step.name)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Step]:
        """Those of the build that is shown."""
        of_build = Step.objects.filter(build=shown_id(request)).order_by("number")
        steps: QuerySet[Step] = super().get_queryset(request)
        return steps.filter(pk__in=list(of_build.values_list("pk", flat=True)[:MAX_INLINE_ROWS]))


class LogFileInline(_LogFileTable):
    """The logs of a step, to look at."""

    model = LogFile
    fields = readonly_fields = ("way", "type", "state", "text", "lines", "omitted_of", "completeness")
    can_delete = False
    extra = max_num = 0
    verbose_name_plural = f"log files, the first {MAX_INLINE_ROWS}"

    @admin.display(description="name")
    def way(self, log: LogFile) -> SafeString:
        """The way to its own page."""
        return way_to(log, log.name)

    @admin.display(description="text")
    def text(self, log: LogFile) -> str:
        """How much text it has."""
        return exact_bytes(log.size)

    @admin.display(description="omitted")
    def omitted_of(self, log: LogFile) -> str:
        """How much was not kept."""
        return exact_bytes(log.omitted) if log.omitted else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogFile]:
        """Those of the step that is shown."""
        of_step = LogFile.objects.filter(step=shown_id(request)).order_by("pk")
        logs: QuerySet[LogFile] = super().get_queryset(request)
        return logs.filter(pk__in=list(of_step.values_list("pk", flat=True)[:MAX_INLINE_ROWS]))


class PinnedFilter(admin.SimpleListFilter):
    """Builds that are pinned: few of all."""

    title = "pinned"
    parameter_name = "pinned"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Only that: what is not pinned is nearly all."""
        return [("yes", "pinned")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Build]) -> QuerySet[Build]:
        """Those of the builds, by their ids: SQLite would else go through whatever else is asked for."""
        if not self.value():
            return queryset
        # Said twice: the first condition is that of the index, the second is looked up in it.
        pinned = Build.objects.filter(pinned=True, pinned__in=[True]).order_by()
        return queryset.filter(pk__in=pinned.values("pk"))


@admin.register(Build)
class BuildAdmin(_ResultsColumn, ActingAdmin[Build]):
    """One run of a builder."""

    noun = acts.Noun.BUILD
    list_display = [
        *("name", "short_title", "state", "ended", "short_branch", "pin", "logs", "size", "stored", "started"),
    ]
    list_filter = [
        word_filter("state", BuildState, common="finished"),
        word_filter("results", Results),
        PinnedFilter,
        ProjectFilter,
        DateFilter,
    ]
    list_select_related = ["builder__project"]
    sortable_by = ["started"]
    fieldsets = [
        (None, {"fields": ["builder", "number", "title", "state", "results", "is_pinned", "page"]}),
        (
            "Where it comes from",
            {"fields": ["external_id", "branch", "revision", "reason", "origin_url", "known"]},
        ),
        (
            "Times",
            {"fields": ["started_at", "finished_at", "heartbeat_at", "abandoned_at", "silenced", "version"]},
        ),
    ]
    readonly_fields = ["version", "page", "is_pinned", "known", "silenced"]
    inlines = [StepInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Build]:
        """Builds without their properties, which may be 64 KiB each; the page of one fetches them."""
        return super().get_queryset(request).defer("properties")

    def dress(self, request: HttpRequest, rows: Sequence[Build]) -> None:
        """Add `sums`: logs, bytes of text, bytes stored."""
        logs = LogFile.objects.filter(step__build__in=[row.pk for row in rows]).order_by()
        sums = logs.values_list("step__build").annotate(logs=Count("pk"), text=Sum("size"), stored=Sum(TAKEN_BYTES))
        found = {build: tuple(counted) for build, *counted in sums}
        for row in rows:
            vars(row)["sums"] = found.get(row.pk, (0, 0, 0))

    @admin.display(description="build")
    def name(self, build: Build) -> str:
        """As people call it."""
        return target_text(build)

    @admin.display(description="branch")
    def short_branch(self, build: Build) -> str:
        """The beginning of its name."""
        return truncatechars(build.branch, BRANCH_CHARACTERS)

    @admin.display(description="pinned")
    def is_pinned(self, build: Build) -> str:
        """In a word."""
        return "yes: it stays until it is unpinned" if build.pinned else "no"

    @admin.display(description="ended by silence")
    def silenced(self, build: Build) -> str:
        """In a word."""
        return yes_or_no(build.ended_by_silence)

    @admin.display(description="properties")
    def known(self, build: Build) -> SafeString | str:
        """What its writer said of it, to be read."""
        return json_text(build.properties) if build.properties else "-"

    @admin.display(description="title")
    def short_title(self, build: Build) -> str:
        """The beginning of the title."""
        return truncatechars(build.title, TITLE_CHARACTERS)

    @admin.display(description="pinned")
    def pin(self, build: Build) -> str:
        """A word, where it is."""
        return "pinned" if build.pinned else ""

    @admin.display(description="logs")
    def logs(self, build: Build) -> int:
        """How many logs it has."""
        return int(vars(build)["sums"][0])

    @admin.display(description="text")
    def size(self, build: Build) -> str:
        """How much text its logs have."""
        return bytes_text(vars(build)["sums"][1])

    @admin.display(description="stored")
    def stored(self, build: Build) -> str:
        """How much that takes up."""
        return bytes_text(vars(build)["sums"][2])

    @admin.display(description="started", ordering="started_at")
    def started(self, build: Build) -> SafeString | str:
        """How long ago."""
        return age(build.started_at)


@admin.register(Step)
class StepAdmin(_ResultsColumn, MadeByIntake[Step]):
    """One command of a build."""

    actions = None
    list_display = ["__str__", "name", "state", "ended", "started", "finished", "page"]
    list_filter = [ProjectFilter]
    list_select_related = ["build__builder__project"]
    sortable_by = ()
    fields = ["build", "number", "name", "slug", "state", "results", "started_at", "finished_at", "page"]
    readonly_fields = ["page"]
    inlines = [LogFileInline]

    @admin.display(description="started")
    def started(self, step: Step) -> SafeString | str:
        """How long ago."""
        return age(step.started_at)

    @admin.display(description="finished")
    def finished(self, step: Step) -> SafeString | str:
        """How long ago."""
        return age(step.finished_at)

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """Newest first; steps are in no index by their times."""
        return ["-pk"]
