"""A project's page: its builders, each with its last builds and what they say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString

from logviewer.models import Build, Builder
from logviewer.pages import visible
from logviewer.pages.moments import Age, duration_text
from logviewer.pages.page import page
from logviewer.pages.runs import BUILD_FIELDS, runs_of
from logviewer.pages.slugs import page_of, slug_after
from logviewer.pages.sparkline import sparkline
from logviewer.pages.status import status_word, worst_word
from logviewer.pages.strip import STRIP_BUILDS, Strip, strip_of
from logviewer.pages.trends import Change, PassRate, change_of, median_seconds, pass_rate
from logviewer.upkeep.retention.policy import Policy
from logviewer.upkeep.retention.sentence import policy_words

BUILDERS_A_PAGE = 100
"""With 30 builds each they are some 40 KB of gzipped page, and one query."""


@dataclass(frozen=True)
class BuilderRow:
    """One builder of the page."""

    builder: Builder
    url: str
    strip: Strip
    last: Build | None
    status: str | None
    age: Age | None
    passed: PassRate | None
    usual: str | None
    sparkline: SafeString
    change: Change | None


def _with_first_numbers(builders: QuerySet[Builder]) -> QuerySet[Builder]:
    """Each with `first_number`, that of the oldest of its last builds: numbers may have gaps."""
    numbers = Build.objects.filter(builder=OuterRef("pk")).order_by("-number").values("number")
    return builders.annotate(first_number=Coalesce(Subquery(numbers[STRIP_BUILDS - 1 : STRIP_BUILDS]), 0))


def _recent_builds(builders: Sequence[Builder]) -> dict[int, list[Build]]:
    """The last builds of each builder of `_with_first_numbers`, oldest first.

    By number, not by rank: the unique index finds them, while a window over all builds would read a project's whole
    history.
    """
    recent: dict[int, list[Build]] = defaultdict(list)
    if not builders:
        return recent
    parts = [Q(builder=builder.pk, number__gte=vars(builder)["first_number"]) for builder in builders]
    builds = Build.objects.filter(reduce(or_, parts)).only(*BUILD_FIELDS).order_by("builder_id", "number")
    for build in builds:
        recent[build.builder_id].append(build)
    return recent


def _row(builder: Builder, builds: list[Build], now: datetime) -> BuilderRow:
    runs = runs_of(builds)
    url = builder.get_absolute_url()
    last = builds[-1] if builds else None
    usual = median_seconds(runs)
    return BuilderRow(
        builder=builder,
        url=url,
        strip=strip_of(builds, now, url),
        last=last,
        status=status_word(last) if last else None,
        age=Age(last.started_at, now) if last else None,
        passed=pass_rate(runs),
        usual=duration_text(usual) if usual is not None else None,
        sparkline=sparkline(runs),
        change=change_of(runs),
    )


@page
def project(request: HttpRequest, project: str) -> HttpResponse:
    """Show the project's builders by name, from the one after `?after=` on."""
    now = timezone.now()
    found = visible.project_or_404(request, project)
    after = slug_after(request.GET)
    builders = Builder.objects.filter(project=found, slug__gt=after).select_related("project").order_by("slug")
    shown, next_page = page_of(_with_first_numbers(builders), BUILDERS_A_PAGE)
    recent = _recent_builds(shown)
    rows = [_row(builder, recent[builder.pk], now) for builder in shown]
    context = {
        "project": found,
        "rows": rows,
        "status": worst_word(row.last for row in rows if row.last),
        "after": after,
        "next_page": next_page,
        "retention": policy_words(Policy.of(found)),
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "logviewer/project.html", context)
