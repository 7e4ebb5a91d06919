"""What the admins have in common: links to the nouns' pages, bounded lists, and hands off what intake makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.db import models
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from logviewer.admin.filters import DateFilter, of_builders
from logviewer.admin.lists import BoundedChangeList
from logviewer.models import Build, Builder, LogFile, Project, Step
from logviewer.upkeep.choosing import Name, parse_name

Noun = TypeVar("Noun", bound=models.Model)
Ordering = list[str | Combinable]


if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
else:

    class _ModelAdmin(admin.ModelAdmin, Generic[Noun]):
        """Django's class takes no type in brackets while it runs; its type stubs ask for one."""


class NounAdmin(_ModelAdmin[Noun]):
    """An admin with the column or field `page`."""

    show_full_result_count = False  # counting all of a big table costs more than the page
    show_facets = ShowFacets.NEVER  # they count too

    @admin.display(description="page")
    def page(self, noun: Project | Builder | Build | Step | LogFile) -> SafeString:
        """A link to the noun's page."""
        return format_html('<a href="{0}">{0}</a>', noun.get_absolute_url())


class OnlyLookedAt(NounAdmin[Noun]):
    """What the server makes: here it is looked at, never made and never changed."""

    show_full_result_count = False  # counting all of a big table costs more than the page

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may; Django then shows the noun read-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may: deleting a row would leave the log's bytes on disk."""
        return False


class BoundedAdmin(NounAdmin[Noun]):
    """An admin of a table that grows without end: its list costs the same however long it is."""

    list_per_page = 50
    list_max_show_all = 0

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        """The list that does not count."""
        return BoundedChangeList

    def dress(self, request: HttpRequest, rows: Sequence[Noun]) -> None:
        """Add to the rows of a page what their columns need, in so many queries whatever their number."""

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """Newest first; within a time as the time's index has it."""
        return ["-started_at", "-pk"] if DateFilter.parameter_name in request.GET else ["-pk"]


class MadeByIntake(OnlyLookedAt[Noun], BoundedAdmin[Noun]):
    """Builds, steps and logs come from intake alone, and are found by the names of builds."""

    search_fields = ["pk"]
    search_help_text = "An id, project, project/builder, or project/builder #number"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Noun], search_term: str
    ) -> tuple[QuerySet[Noun], bool]:
        """The rows that are so called, or belong to what is; none for what is no name."""
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        name = parse_name(term)
        return (queryset.none() if name is None else self.named(request, queryset, name)), False

    def named(self, request: HttpRequest, queryset: QuerySet[Noun], name: Name) -> QuerySet[Noun]:
        """The rows of builds, steps or logs that a name is about."""
        if name.id is not None:
            return queryset.filter(pk=name.id)
        builders = Builder.objects.filter(project__slug=name.project)
        if name.builder is not None:
            builders = builders.filter(slug=name.builder)
        if name.number is None:
            return of_builders(request, "q", queryset, builders)
        builds = Build.objects.filter(builder__in=list(builders), number=name.number)
        path = {Build: "pk__in", Step: "build__in", LogFile: "step__build__in"}[queryset.model]
        return queryset.filter(**{path: list(builds.values_list("pk", flat=True))})


def age(then: datetime | None) -> SafeString | str:
    """How long ago that was, in its largest unit, with the moment itself to point at."""
    if then is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', then.isoformat(), f"{then:%Y-%m-%d %H:%M:%S} UTC", _ago(then)
    )


def _ago(then: datetime) -> str:
    text = timesince(then, depth=1)
    return "just now" if text.startswith("0") else f"{text} ago"
