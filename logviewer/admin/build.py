"""Builds and steps in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from logviewer.admin.noun import MadeByIntake
from logviewer.models import Build, LogFile, Step

if TYPE_CHECKING:
    _StepTable = admin.TabularInline[Step, Build]
    _LogFileTable = admin.TabularInline[LogFile, Step]
else:  # takes no types in brackets while it runs
    _StepTable = _LogFileTable = admin.TabularInline


class StepInline(_StepTable):
    """The steps of a build, to look at."""

    model = Step
    fields = readonly_fields = ("number", "name", "state", "results", "started_at", "finished_at")
    can_delete = False
    show_change_link = True
    extra = max_num = 0


class LogFileInline(_LogFileTable):
    """The logs of a step, to look at."""

    model = LogFile
    fields = readonly_fields = ("name", "type", "state", "size", "lines", "received", "omitted", "completeness")
    can_delete = False
    show_change_link = True
    extra = max_num = 0


@admin.register(Build)
class BuildAdmin(MadeByIntake[Build]):
    """One run of a builder."""

    list_display = ["__str__", "title", "state", "results", "branch", "started_at", "finished_at", "page"]
    list_filter = ["state", "results", "builder__project"]
    list_select_related = ["builder__project"]
    search_fields = ["title", "branch", "revision", "external_id", "builder__slug", "builder__project__slug"]
    date_hierarchy = "started_at"
    fields = [
        *("builder", "number", "external_id", "title", "branch", "revision", "reason", "origin_url", "properties"),
        *(
            "state",
            "results",
            "started_at",
            "finished_at",
            "heartbeat_at",
            "abandoned_at",
            "ended_by_silence",
            "version",
            "page",
        ),
    ]
    readonly_fields = ["version", "page"]
    inlines = [StepInline]


@admin.register(Step)
class StepAdmin(MadeByIntake[Step]):
    """One command of a build."""

    list_display = ["__str__", "name", "state", "results", "started_at", "finished_at", "page"]
    list_filter = ["state", "results", "build__builder__project"]
    list_select_related = ["build__builder__project"]
    search_fields = ["name", "build__builder__slug", "build__builder__project__slug"]
    date_hierarchy = "started_at"
    fields = ["build", "number", "name", "slug", "state", "results", "started_at", "finished_at", "page"]
    readonly_fields = ["page"]
    inlines = [LogFileInline]
