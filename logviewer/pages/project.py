"""A project's page: its builders, each with its last builds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from logviewer.models import Build, Builder, Project
from logviewer.pages import visible
from logviewer.pages.moments import Age, duration_text
from logviewer.pages.page import page
from logviewer.pages.status import status_word, usual_seconds
from logviewer.pages.strip import STRIP_BUILDS, Strip, strip_of


@dataclass(frozen=True)
class BuilderRow:
    """One builder of the page."""

    builder: Builder
    strip: Strip
    last: Build | None
    status: str | None
    age: Age | None
    usual: str | None


def _recent_builds(project: Project) -> dict[int, list[Build]]:
    """The last builds of each builder, oldest first.

    By number, not by rank: builds are numbered in a row, so the unique index finds them, while a window over all
    builds would read a project's whole history.
    """
    builds = (
        Build.objects.filter(builder__project=project, number__gte=F("builder__next_number") - STRIP_BUILDS)
        .select_related("builder__project")
        .order_by("builder_id", "number")
    )
    recent: dict[int, list[Build]] = defaultdict(list)
    for build in builds:
        recent[build.builder_id].append(build)
    return recent


@page
def project(request: HttpRequest, project: str) -> HttpResponse:
    """Show the project's builders."""
    now = timezone.now()
    found = visible.project_or_404(request, project)
    recent = _recent_builds(found)
    rows = []
    for builder in Builder.objects.filter(project=found).select_related("project").order_by("slug"):
        builds = recent[builder.pk][-STRIP_BUILDS:]
        last = builds[-1] if builds else None
        usual = usual_seconds(builds)
        rows.append(
            BuilderRow(
                builder=builder,
                strip=strip_of(builds, now),
                last=last,
                status=status_word(last) if last else None,
                age=Age(last.started_at, now) if last else None,
                usual=duration_text(usual) if usual is not None else None,
            )
        )
    context = {"project": found, "rows": rows, "server": request.build_absolute_uri("/").rstrip("/")}
    return render(request, "logviewer/project.html", context)
