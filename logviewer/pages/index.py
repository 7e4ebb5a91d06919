"""The first page: projects and their state at a glance, and what runs now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from logviewer.models import Build, Builder, BuildState, Project
from logviewer.pages import visible
from logviewer.pages.moments import Age, Elapsed, build_elapsed
from logviewer.pages.page import page
from logviewer.pages.status import is_bad, status_word

MAX_RUNNING_SHOWN = 20


@dataclass(frozen=True)
class BuilderChip:
    """A builder and how its last build is doing; `status` is None where it has none."""

    builder: Builder
    last: Build | None

    @property
    def status(self) -> str | None:
        """The last build's word."""
        return status_word(self.last) if self.last else None


@dataclass(frozen=True)
class ProjectCard:
    """A project, its builders, and when it last built."""

    project: Project
    builders: Sequence[BuilderChip]
    now: datetime

    @property
    def failing(self) -> int:
        """How many builders' last builds went wrong."""
        return sum(1 for chip in self.builders if chip.last and is_bad(chip.last))

    @property
    def running(self) -> int:
        """How many builders' last builds run."""
        return sum(1 for chip in self.builders if chip.last and chip.last.state == BuildState.RUNNING)

    @property
    def age(self) -> Age | None:
        """When the newest of the last builds started."""
        starts = [chip.last.started_at for chip in self.builders if chip.last]
        return Age(max(starts), self.now) if starts else None


@dataclass(frozen=True)
class RunningBuild:
    """A build that runs, and for how long."""

    build: Build
    elapsed: Elapsed


def _cards(projects: QuerySet[Project], now: datetime) -> list[ProjectCard]:
    newest = Build.objects.filter(builder=OuterRef("pk")).order_by("-number").values("pk")[:1]
    builders = list(
        Builder.objects.filter(project__in=projects).select_related("project").annotate(last_id=Subquery(newest))
    )
    last = Build.objects.in_bulk([builder.last_id for builder in builders if builder.last_id is not None])
    chips: dict[int, list[BuilderChip]] = defaultdict(list)
    for builder in builders:
        chips[builder.project_id].append(BuilderChip(builder, last.get(builder.last_id or 0)))
    return [ProjectCard(project, chips[project.pk], now) for project in projects]


@page
def index(request: HttpRequest) -> HttpResponse:
    """Show the projects that the caller may see."""
    now = timezone.now()
    projects = visible.projects(request).order_by("slug")
    running = (
        Build.objects.filter(state=BuildState.RUNNING, builder__project__in=projects)
        .select_related("builder__project")
        .order_by("-id")[: MAX_RUNNING_SHOWN + 1]
    )
    rows = [RunningBuild(build, build_elapsed(build, now)) for build in running]
    context = {
        "cards": _cards(projects, now),
        "running": rows[:MAX_RUNNING_SHOWN],
        "more_running": len(rows) > MAX_RUNNING_SHOWN,
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "logviewer/index.html", context)
