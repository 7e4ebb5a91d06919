"""A builder's page: its builds, newest first, filtered by what stands in the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone

from logviewer.models import Build, Builder, BuildState, Results
from logviewer.pages import visible
from logviewer.pages.moments import Age, Elapsed, build_elapsed, duration_text
from logviewer.pages.page import page
from logviewer.pages.status import status_word, usual_seconds
from logviewer.pages.strip import STRIP_BUILDS

BUILDS_A_PAGE = 50
SHORT_REVISION_CHARACTERS = 10
BAR_SCALE = 2.0  # the bar is full at twice the usual duration; the usual one is its middle


@dataclass(frozen=True)
class BuildRow:
    """One build of the list, with its duration against the usual one."""

    build: Build
    status: str
    elapsed: Elapsed
    age: Age
    full_seconds: float

    @property
    def revision(self) -> str:
        """The revision's first characters."""
        return self.build.revision[:SHORT_REVISION_CHARACTERS]

    @property
    def bar_percent(self) -> str:
        """How far the bar goes, as SVG takes it (CSP forbids a style attribute)."""
        return f"{min(1.0, self.elapsed.seconds / self.full_seconds) * 100:.1f}%"

    @property
    def is_slow(self) -> bool:
        """Whether the bar's end lies beyond what is drawn."""
        return self.elapsed.seconds > self.full_seconds


@dataclass(frozen=True)
class Filters:
    """What the address asks for; words that are not known count as not given."""

    state: str
    results: str
    branch: str
    before: int | None

    @classmethod
    def from_query(cls, query: QueryDict) -> Filters:
        """Read `?state=&results=&branch=&before=`."""
        before = query.get("before", "")
        return cls(
            state=_known(query.get("state", ""), BuildState.values),
            results=_known(query.get("results", ""), Results.values),
            branch=query.get("branch", "").strip().replace("\0", ""),  # PostgreSQL refuses NUL in text
            before=min(int(before), visible.MAX_NUMBER) if before.isascii() and before.isdigit() else None,
        )

    def of(self, builds: QuerySet[Build]) -> QuerySet[Build]:
        """Those of the builds that are asked for."""
        wanted = {"state": self.state, "results": self.results, "branch": self.branch}
        builds = builds.filter(**{field: value for field, value in wanted.items() if value})
        return builds if self.before is None else builds.filter(number__lt=self.before)

    @property
    def are_set(self) -> bool:
        """Whether anything but the page is asked for."""
        return bool(self.state or self.results or self.branch)

    def query(self, before: int | None) -> str:
        """The address's query for the same filters at another place."""
        query = QueryDict(mutable=True)
        for name, value in (("state", self.state), ("results", self.results), ("branch", self.branch)):
            if value:
                query[name] = value
        if before is not None:
            query["before"] = str(before)
        return f"?{query.urlencode()}"


def _known(word: str, words: list[str]) -> str:
    return word if word in words else ""


def _rows(builds: list[Build], usual: float | None, now: datetime) -> list[BuildRow]:
    spans = [build_elapsed(build, now) for build in builds]
    full = usual * BAR_SCALE if usual else max((span.seconds for span in spans), default=0.0)
    return [
        BuildRow(build, status_word(build), span, Age(build.started_at, now), full or 1.0)
        for build, span in zip(builds, spans, strict=True)
    ]


def recent_usual_seconds(builder: Builder) -> float | None:
    """The median duration of those of the builder's last 30 builds that went through."""
    return usual_seconds(Build.objects.filter(builder=builder).order_by("-number")[:STRIP_BUILDS])


@page
def builder(request: HttpRequest, project: str, builder: str) -> HttpResponse:
    """Show one page of the builder's builds."""
    found = visible.builder_or_404(request, project, builder)
    filters = Filters.from_query(request.GET)
    wanted = filters.of(Build.objects.filter(builder=found).select_related("builder__project"))
    builds = list(wanted.order_by("-number")[: BUILDS_A_PAGE + 1])
    usual = recent_usual_seconds(found)
    shown = builds[:BUILDS_A_PAGE]
    context = {
        "project": found.project,
        "builder": found,
        "rows": _rows(shown, usual, timezone.now()),
        "usual": duration_text(usual) if usual is not None else None,
        "filters": filters,
        "states": BuildState.values,
        "results": Results.values,
        "older": filters.query(shown[-1].number) if len(builds) > BUILDS_A_PAGE else None,
        "newest": filters.query(None) if filters.before is not None else None,
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "logviewer/builder.html", context)
