"""Builds and steps in the admin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat, truncatechars

from logviewer.admin.acting import ActingAdmin
from logviewer.admin.filters import DateFilter, ProjectFilter, word_filter
from logviewer.admin.noun import MadeByIntake, Ordering, age
from logviewer.models import Build, BuildState, LogFile, Results, Step
from logviewer.upkeep import acts
from logviewer.upkeep.weighing import TAKEN_BYTES

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    _StepTable = admin.TabularInline[Step, Build]
    _LogFileTable = admin.TabularInline[LogFile, Step]
else:  # takes no types in brackets while it runs
    _StepTable = _LogFileTable = admin.TabularInline

TITLE_CHARACTERS = 40

MAX_INLINE_ROWS = 100
"""Steps of a build, and logs of a step, on its page: there are builds with thousands."""


class StepInline(_StepTable):
    """The steps of a build, to look at."""

    model = Step
    fields = readonly_fields = ("number", "name", "state", "results", "started_at", "finished_at")
    can_delete = False
    show_change_link = True
    extra = max_num = 0
    verbose_name_plural = f"steps, the first {MAX_INLINE_ROWS}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Step]:
        """Those of the build that is shown."""
        of_build = Step.objects.filter(build=_shown_id(request)).order_by("number")
        steps: QuerySet[Step] = super().get_queryset(request)
        return steps.filter(pk__in=list(of_build.values_list("pk", flat=True)[:MAX_INLINE_ROWS]))


class LogFileInline(_LogFileTable):
    """The logs of a step, to look at."""

    model = LogFile
    fields = readonly_fields = ("name", "type", "state", "size", "lines", "received", "omitted", "completeness")
    can_delete = False
    show_change_link = True
    extra = max_num = 0
    verbose_name_plural = f"log files, the first {MAX_INLINE_ROWS}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogFile]:
        """Those of the step that is shown."""
        of_step = LogFile.objects.filter(step=_shown_id(request)).order_by("pk")
        logs: QuerySet[LogFile] = super().get_queryset(request)
        return logs.filter(pk__in=list(of_step.values_list("pk", flat=True)[:MAX_INLINE_ROWS]))


def _shown_id(request: HttpRequest) -> int:
    """The id of what the page is about; Django has fetched it by then."""
    assert request.resolver_match is not None
    return int(request.resolver_match.kwargs["object_id"])


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
class BuildAdmin(ActingAdmin[Build]):
    """One run of a builder."""

    noun = acts.Noun.BUILD
    list_display = ["name", "short_title", "state", "results", "branch", "pin", "logs", "size", "stored", "started"]
    list_filter = [
        word_filter("state", BuildState, common="finished"),
        word_filter("results", Results),
        PinnedFilter,
        ProjectFilter,
        DateFilter,
    ]
    list_select_related = ["builder__project"]
    sortable_by = ["started"]
    fields = [
        *("builder", "number", "external_id", "title", "branch", "revision", "reason", "origin_url", "properties"),
        *("state", "results", "pinned", "started_at", "finished_at", "heartbeat_at", "abandoned_at"),
        *("ended_by_silence", "version", "page"),
    ]
    readonly_fields = ["version", "page"]
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
        return f"{build.builder.project.slug}/{build.builder.slug} #{build.number}"

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
        """How much its builders had to say."""
        return filesizeformat(vars(build)["sums"][1])

    @admin.display(description="stored")
    def stored(self, build: Build) -> str:
        """How much that takes up."""
        return filesizeformat(vars(build)["sums"][2])

    @admin.display(description="started", ordering="started_at")
    def started(self, build: Build) -> SafeString | str:
        """How long ago."""
        return age(build.started_at)


@admin.register(Step)
class StepAdmin(MadeByIntake[Step]):
    """One command of a build."""

    actions = None
    list_display = ["__str__", "name", "state", "results", "started_at", "finished_at", "page"]
    list_filter = [ProjectFilter]
    list_select_related = ["build__builder__project"]
    sortable_by = ()
    fields = ["build", "number", "name", "slug", "state", "results", "started_at", "finished_at", "page"]
    readonly_fields = ["page"]
    inlines = [LogFileInline]

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """Newest first; steps are in no index by their times."""
        return ["-pk"]
