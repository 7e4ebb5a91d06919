"""Log files in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from logviewer.admin.acting import ActingAdmin
from logviewer.admin.filters import DateFilter, FormFilter, ProjectFilter, word_filter
from logviewer.admin.noun import age
from logviewer.admin.redaction import RedactingAdmin
from logviewer.models import Completeness, LogFile, LogForm, LogState, LogType
from logviewer.upkeep import acts

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

KEY_SLASHES = 4
"""In a storage key; a name has fewer."""


@admin.register(LogFile)
class LogFileAdmin(RedactingAdmin, ActingAdmin[LogFile]):
    """What the database knows of a log; the counters are as old as the last flush."""

    noun = acts.Noun.LOG
    list_display = [
        *("name_of", "type", "state", "form", "completeness", "size_of", "stored", "lines", "omitted_of", "started"),
        "written",
    ]
    list_filter = [
        word_filter("state", LogState, common="finished"),
        FormFilter,
        word_filter("completeness", Completeness, common="verified"),
        word_filter("type", LogType, common="stdio"),
        ProjectFilter,
        DateFilter,
    ]
    list_select_related = ["step__build__builder__project"]
    sortable_by = ["stored", "started"]
    search_help_text = "An id, project, project/builder, project/builder #number, or a storage key"
    fields = [
        *("step", "name", "slug", "type", "state", "completeness", "size", "lines", "received", "omitted", "sha256"),
        *("text_sha256", "form", "stored_bytes", "storage_key", "started_at", "finished_at", "written_at", "page"),
    ]
    readonly_fields = ["page"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LogFile], search_term: str
    ) -> tuple[QuerySet[LogFile], bool]:
        """As everywhere, or the log with that storage key."""
        term = search_term.strip().replace("\0", "")
        if term.count("/") >= KEY_SLASHES:
            return queryset.filter(storage_key=term), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="log")
    def name_of(self, log: LogFile) -> str:
        """As people call it."""
        build = log.step.build
        return f"{build.builder.project.slug}/{build.builder.slug} #{build.number} {log.step.slug}/{log.slug}"

    @admin.display(description="text")
    def size_of(self, log: LogFile) -> str:
        """How much text it has."""
        return filesizeformat(log.size)

    @admin.display(description="stored", ordering="stored_bytes")
    def stored(self, log: LogFile) -> str:
        """How much that takes up, once it is sealed."""
        return filesizeformat(log.size if log.form == LogForm.PLAIN else log.stored_bytes)

    @admin.display(description="omitted")
    def omitted_of(self, log: LogFile) -> str:
        """How much was not kept."""
        return filesizeformat(log.omitted) if log.omitted else ""

    @admin.display(description="started", ordering="started_at")
    def started(self, log: LogFile) -> SafeString | str:
        """How long ago."""
        return age(log.started_at)

    @admin.display(description="written")
    def written(self, log: LogFile) -> SafeString | str:
        """How long ago something came last."""
        return age(log.written_at)
