"""The storage dashboard, /admin/storage/: what is kept, how it grows, and what is stuck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from logviewer.admin.drawing import chart, share_bar
from logviewer.admin.words import age
from logviewer.models import LogFile, Project
from logviewer.upkeep.overview import MAX_COUNTED, Growth, OpenBuild, Overview, Use, overview
from logviewer.upkeep.retention.sentence import bytes_text
from logviewer.upkeep.weighing import taken_bytes


@require_safe
def storage(request: HttpRequest) -> HttpResponse:
    """Show the dashboard, to staff."""
    found = overview()
    context = {
        **admin.site.each_context(request),
        "title": "Storage",
        "overview": found,
        "surveyed": age(found.surveyed_at),
        "disk_bar": share_bar(found.disk.used, found.disk.size) if found.disk else "",
        "projects": _rows(found.projects, _retention_addresses(found.projects)),
        "builders": _rows(found.builders, {}),
        "days": _chart("Text of logs by the day they were begun", found.days),
        "weeks": _chart("Text of logs by the week they were begun", found.weeks),
        "day_rows": [row for row in reversed(found.days) if row.logs],
        "week_rows": [row for row in reversed(found.weeks) if row.logs],
        "largest": _logs(found.largest),
        "oldest": _logs(found.oldest),
        "stuck": _logs(found.stuck),
        "open_builds": _open_builds(found),
        "open_logs": _at_most(found.open_logs),
        "abandoned_logs": _at_most(found.abandoned_logs),
        "stuck_logs": _at_most(found.stuck_logs),
        "waiting_to_move": _at_most(found.waiting_to_move),
        "damaged_logs": _at_most(found.damaged_logs),
    }
    return TemplateResponse(request, "admin/storage.html", context)


def _rows(uses: Sequence[Use], retention: Mapping[str, str]) -> list[tuple[Use, SafeString, str]]:
    """Each with its bar, against the largest, and with the address of its retention's dry run, if it has one."""
    most = max((use.stored for use in uses), default=0)
    return [(use, share_bar(use.stored, most), retention.get(use.name, "")) for use in uses]


def _retention_addresses(projects: Sequence[Use]) -> dict[str, str]:
    """By slug, in one query."""
    ids = Project.objects.filter(slug__in=[use.name for use in projects]).values_list("slug", "pk")
    return {slug: reverse("admin:logviewer_project_retention", args=[project_id]) for slug, project_id in ids}


def _chart(name: str, growth: Sequence[Growth]) -> SafeString:
    return chart(name, [(f"{row.day}: {row.logs} logs, {bytes_text(row.text)}", row.text) for row in growth])


def _logs(logs: Sequence[LogFile]) -> list[tuple[LogFile, int, SafeString | str]]:
    """Each with what it takes up, and its age."""
    return [(log, taken_bytes(log), age(log.started_at)) for log in logs]


def _open_builds(found: Overview) -> list[tuple[OpenBuild, SafeString | str, str]]:
    """Each with its age, and how long its writer has been silent."""
    return [(row, age(row.build.started_at), _silence(row.silent_since, found.now)) for row in found.open_builds]


def _silence(since: datetime, now: datetime) -> str:
    seconds = max(0, int((now - since).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    return f"{seconds} s" if minutes < 2 else f"{minutes} min" if hours < 2 else f"{hours} h"


def _at_most(count: int) -> str:
    return f"more than {MAX_COUNTED}" if count > MAX_COUNTED else str(count)
