"""Log files in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from logviewer.admin.acting import ActingAdmin
from logviewer.admin.filters import DateFilter, FormFilter, ProjectFilter, word_filter
from logviewer.admin.redaction import RedactingAdmin
from logviewer.admin.words import age, exact_bytes
from logviewer.models import Completeness, LogFile, LogState, LogType
from logviewer.models.audit import target_text
from logviewer.upkeep import acts
from logviewer.upkeep.retention.sentence import bytes_text
from logviewer.upkeep.weighing import taken_bytes

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
    fieldsets = [
        (None, {"fields": ["step", "name", "slug", "type", "state", "page"]}),
        (
            "Text",
            {"fields": ["text", "lines", "received_of", "omitted_exact", "completeness", "sha256", "text_sha256"]},
        ),
        ("Storage", {"fields": ["form", "taken", "storage_key"]}),
        ("Times", {"fields": ["started_at", "finished_at", "written_at"]}),
    ]
    readonly_fields = ["page", "text", "received_of", "omitted_exact", "taken"]

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
        return target_text(log)

    @admin.display(description="text")
    def size_of(self, log: LogFile) -> str:
        """How much text it has."""
        return bytes_text(log.size)

    @admin.display(description="stored", ordering="stored_bytes")
    def stored(self, log: LogFile) -> str:
        """How much that takes up, once it is sealed."""
        return bytes_text(taken_bytes(log))

    @admin.display(description="omitted")
    def omitted_of(self, log: LogFile) -> str:
        """How much was not kept."""
        return bytes_text(log.omitted) if log.omitted else ""

    @admin.display(description="size")
    def text(self, log: LogFile) -> str:
        """As `size_of`, to the byte."""
        return exact_bytes(log.size)

    @admin.display(description="received")
    def received_of(self, log: LogFile) -> str:
        """How much its writer sent."""
        return exact_bytes(log.received)

    @admin.display(description="omitted")
    def omitted_exact(self, log: LogFile) -> str:
        """As `omitted_of`, to the byte."""
        return exact_bytes(log.omitted)

    @admin.display(description="stored")
    def taken(self, log: LogFile) -> str:
        """As `stored`, to the byte."""
        return exact_bytes(taken_bytes(log))

    @admin.display(description="started", ordering="started_at")
    def started(self, log: LogFile) -> SafeString | str:
        """How long ago."""
        return age(log.started_at)

    @admin.display(description="written")
    def written(self, log: LogFile) -> SafeString | str:
        """How long ago something came last."""
        return age(log.written_at)
