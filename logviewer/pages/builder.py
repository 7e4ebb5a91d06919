"""A builder's page: what its last builds say, and its builds, newest first, filtered by what stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from logviewer.models import Build, Builder, BuildState, Results
from logviewer.pages import visible
from logviewer.pages.filters import Filters
from logviewer.pages.moments import Age, Elapsed, build_elapsed, duration_text
from logviewer.pages.page import page
from logviewer.pages.public import origin_of
from logviewer.pages.runs import BUILD_FIELDS, runs_of
from logviewer.pages.status import status_word
from logviewer.pages.step_trends import StepTrend, slowed, step_trends
from logviewer.pages.strip import CHART_BUILDS, STRIP_BUILDS, Strip, chart_of
from logviewer.pages.trends import Change, PassRate, change_of, median_seconds, pass_rate
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.sentence import policy_words

BUILDS_A_PAGE = 50
SHORT_REVISION_CHARACTERS = 10
LEAST_CHART_BUILDS = 3
BAR_SCALE = 2.0  # the bar is full at twice the usual duration; the usual one is its middle


@dataclass(frozen=True)
class BuildRow:
    """One build of the list, with its duration against the usual one."""

    build: Build
    url: str
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
class Figures:
    """What the last builds say, whatever the address asks for; rates and trends are of the last STRIP_BUILDS."""

    recent: Sequence[Build]
    chart: Strip
    usual_seconds: float | None
    passed: PassRate | None
    change: Change | None
    steps: Sequence[StepTrend]

    @property
    def usual(self) -> str | None:
        """The median duration in words."""
        return None if self.usual_seconds is None else duration_text(self.usual_seconds)

    @property
    def has_chart(self) -> bool:
        """Whether there is enough to draw."""
        return len(self.recent) >= LEAST_CHART_BUILDS

    @property
    def slowed(self) -> StepTrend | None:
        """The step that got slower the most."""
        return slowed(self.steps)

    @property
    def branches(self) -> list[str]:
        """The branches of these builds, to choose from."""
        return sorted({build.branch for build in self.recent if build.branch})


def _figures(builder: Builder, url: str, now: datetime) -> Figures:
    recent = _recent_builds(builder, CHART_BUILDS)
    newest = recent[-STRIP_BUILDS:]
    runs = runs_of(newest)
    return Figures(
        recent=recent,
        chart=chart_of(recent, now, url),
        usual_seconds=median_seconds(runs),
        passed=pass_rate(runs),
        change=change_of(runs),
        steps=step_trends(newest),
    )


def _recent_builds(builder: Builder, most: int) -> list[Build]:
    newest = Build.objects.filter(builder=builder).only(*BUILD_FIELDS).order_by("-number")[:most]
    return list(newest)[::-1]


def _rows(builds: list[Build], url: str, usual: float | None, now: datetime) -> list[BuildRow]:
    spans = [build_elapsed(build, now) for build in builds]
    full = usual * BAR_SCALE if usual else max((span.seconds for span in spans), default=0.0)
    return [
        BuildRow(build, f"{url}{build.number}/", status_word(build), span, Age(build.started_at, now), full or 1.0)
        for build, span in zip(builds, spans, strict=True)
    ]


def _badge_code(builder: Builder, origin: str) -> str:
    """What shows the builder's badge in a README; a slug has nothing that Markdown would take amiss."""
    page_address = origin + builder.get_absolute_url()
    return f"[![{builder.slug}]({page_address}badge.svg)]({page_address})"


@page
def builder(request: HttpRequest, project: str, builder: str) -> HttpResponse:
    """Show one page of the builder's builds."""
    now = timezone.now()
    found = visible.builder_or_404(request, project, builder)
    url = found.get_absolute_url()
    filters = Filters.from_query(request.GET)
    wanted = filters.of(Build.objects.filter(builder=found).defer("properties"))
    builds = list(wanted.order_by("-number")[: BUILDS_A_PAGE + 1])
    shown = builds[:BUILDS_A_PAGE]
    figures = _figures(found, url, now)
    last = figures.recent[-1] if figures.recent else None
    policy = Policy.of(found.project, found)
    context = {
        "project": found.project,
        "builder": found,
        "status": status_word(last) if last else None,
        "last": last,
        "age": Age(last.started_at, now) if last else None,
        "figures": figures,
        "rows": _rows(shown, url, figures.usual_seconds, now),
        "filters": filters,
        "states": BuildState.values,
        "results": Results.values,
        "older": filters.query(shown[-1].number) if len(builds) > BUILDS_A_PAGE else None,
        "newest": filters.query(None) if filters.before is not None else None,
        "badge_code": _badge_code(found, origin_of(request)),
        "retention": "" if policy.keeps_everything else policy_words(policy, one_builder=True),
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "logviewer/builder.html", context)
