"""Log files in the admin."""

from __future__ import annotations

from django.contrib import admin

from logviewer.admin.noun import MadeByIntake
from logviewer.models import LogFile


@admin.register(LogFile)
class LogFileAdmin(MadeByIntake[LogFile]):
    """What the database knows of a log; the counters are as old as the last flush."""

    list_display = [
        "__str__",
        "type",
        "state",
        "size",
        "lines",
        "omitted",
        "completeness",
        "form",
        "stored_bytes",
        "written_at",
        "page",
    ]
    list_filter = ["state", "completeness", "type", "form", "step__build__builder__project"]
    list_select_related = ["step__build__builder__project"]
    search_fields = ["name", "storage_key", "sha256", "text_sha256"]
    date_hierarchy = "started_at"
    fields = [
        *("step", "name", "slug", "type", "state", "completeness", "size", "lines", "received", "omitted", "sha256"),
        *("text_sha256", "form", "stored_bytes", "storage_key", "started_at", "finished_at", "written_at", "page"),
    ]
    readonly_fields = ["page"]
