"""The first page: what runs now, and projects and their state at a glance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils import timezone

from logviewer.models import Build, Builder, BuildState, Project
from logviewer.pages import visible
from logviewer.pages.moments import Age, Elapsed, build_elapsed
from logviewer.pages.page import page
from logviewer.pages.slugs import page_of, slug_after
from logviewer.pages.status import word_of
from logviewer.pages.trends import FAILED, PASSED

PROJECTS_A_PAGE = 50
VERDICTS = sorted(PASSED | FAILED)
"""Results that a build has once it is finished, and that say how it went."""

MAX_RUNNING_SHOWN = 50
MAX_CHIPS = 16
"""So many builders of a project are shown, those that went wrong first; its own page has all."""


@dataclass(frozen=True, slots=True)
class BuilderChip:
    """A builder and how its last build is doing; `status` and `started_at` are None where it has none.

    `verdict` is how the last of its builds that passed or failed ended: one that runs, was cancelled or given up says
    neither. None where no build has.
    """

    slug: str
    verdict: str | None
    status: str | None
    started_at: datetime | None

    @property
    def is_failing(self) -> bool:
        """Whether the last build that came to a verdict went wrong."""
        return self.verdict in FAILED


@dataclass(frozen=True)
class ProjectCard:
    """A project, its builders by name, how many of its builds run, and when it last built."""

    project: Project
    builders: Sequence[BuilderChip]
    running: int
    now: datetime

    @property
    def url(self) -> str:
        """The project's page; a builder's is below it."""
        return self.project.get_absolute_url()

    @property
    def chips(self) -> Sequence[BuilderChip]:
        """The builders to show."""
        if len(self.builders) <= MAX_CHIPS:
            return self.builders
        return sorted(self.builders, key=lambda chip: not chip.is_failing)[:MAX_CHIPS]

    @property
    def hidden(self) -> int:
        """How many builders are not shown."""
        return len(self.builders) - len(self.chips)

    @property
    def failing(self) -> int:
        """How many builders' last verdicts are bad ones."""
        return sum(1 for chip in self.builders if chip.is_failing)

    @property
    def passing(self) -> bool:
        """Whether there are verdicts, and all are good ones."""
        return not self.failing and any(chip.verdict for chip in self.builders)

    @property
    def age(self) -> Age | None:
        """When the newest of the last builds started."""
        starts = [chip.started_at for chip in self.builders if chip.started_at]
        return Age(max(starts), self.now) if starts else None


@dataclass(frozen=True)
class RunningBuild:
    """A build that runs, and for how long."""

    build: Build
    elapsed: Elapsed


def _cards(projects: Sequence[Project], running: dict[int, int], now: datetime) -> list[ProjectCard]:
    newest = Build.objects.filter(builder=OuterRef("pk")).order_by("-number")
    # One for each word, by an index: else all builds of a builder are read that has only cancelled ones.
    judged = [Subquery(newest.filter(results=word).values("number")[:1]) for word in VERDICTS]
    builders = Builder.objects.filter(project__in=projects)
    # Rows, not nouns: fifty projects may have thousands of builders.
    fields = ("pk", "project", "slug", Subquery(newest.values("pk")[:1]))
    rows = list(builders.order_by("slug").values_list(*fields, *judged))
    # By their ids: of a subquery PostgreSQL does not know how few it names, and reads all builds.
    last_builds = Build.objects.filter(pk__in=[newest_id for _, _, _, newest_id, *_ in rows if newest_id is not None])
    last = {
        builder: (word_of(state, results), started_at)
        for builder, state, results, started_at in last_builds.order_by().values_list(
            "builder", "state", "results", "started_at"
        )
    }
    chips: dict[int, list[BuilderChip]] = defaultdict(list)
    for pk, project, slug, _newest_id, *numbers in rows:
        number, verdict = max((number or 0, word) for number, word in zip(numbers, VERDICTS, strict=True))
        chips[project].append(BuilderChip(slug, verdict if number else None, *last.get(pk, (None, None))))
    return [ProjectCard(project, chips[project.pk], running.get(project.pk, 0), now) for project in projects]


def _version(projects: QuerySet[Project]) -> str:
    """What differs as soon as a build of the projects begins or ends, or a project comes or goes."""
    found = projects.aggregate(count=Count("pk"), newest=Max("pk"), version=Sum("version"))
    return f"{found['count']}-{found['newest'] or 0}-{found['version'] or 0}"


@page
def index(request: HttpRequest) -> HttpResponse:
    """Show the projects that the caller may see, by slug, from the one after `?after=` on.

    An open page asks again every few seconds, with the version that it shows: nothing is drawn while that holds.
    """
    now = timezone.now()
    projects = visible.projects(request)
    version = _version(projects)
    if request.headers.get("If-None-Match") == f'"{version}"':
        return HttpResponseNotModified()
    after = slug_after(request.GET)
    shown, next_page = page_of(projects.filter(slug__gt=after).order_by("slug"), PROJECTS_A_PAGE)
    building = Build.objects.filter(state=BuildState.RUNNING, builder__project__in=projects)
    running = dict(building.order_by().values_list("builder__project").annotate(Count("pk")))
    oldest = building.select_related("builder__project").defer("properties").order_by("id")[:MAX_RUNNING_SHOWN]
    rows = [RunningBuild(build, build_elapsed(build, now)) for build in oldest]
    total = sum(running.values())
    context = {
        "version": version,
        "cards": _cards(shown, running, now),
        "running": rows,
        "total_running": total,
        "more_running": total - len(rows),
        "after": after,
        "next_page": next_page,
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "logviewer/index.html", context)
