"""Filters that an index answers, and that ask for nothing that grows with the number of rows."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from logviewer.admin.lists import MAX_LISTED
from logviewer.models import Build, Builder, LogFile, LogForm, LogState, Project, Step
from logviewer.upkeep.newest import looked_at, newest_build_ids

MAX_PROJECTS = 50
"""Offered by name; any other stands in the address as well."""

NEWEST_BUILDS = 500
"""Of a project or builder, whose logs are listed: no index has a project's logs in one row."""

MANY_ROWS: dict[type[Model], int] = {Build: 50_000, LogFile: 200_000}
"""Fetching more of them by an index takes longer than anything else; counting so many there takes some 10 ms."""

MONTHS = 12
DECEMBER = 12

Choices = list[tuple[str, str]]


class ProjectFilter(admin.SimpleListFilter):
    """What belongs to one project."""

    title = "project"
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Choices:
        """The first projects by slug, and the one that is chosen."""
        slugs = list(Project.objects.order_by("slug").values_list("slug", flat=True)[:MAX_PROJECTS])
        chosen = request.GET.get(self.parameter_name)
        return [(slug, slug) for slug in ([*slugs, chosen] if chosen and chosen not in slugs else slugs)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of that project."""
        slug = self.value()
        if slug is None:
            return queryset
        slug = slug.replace("\0", "")
        if queryset.model in (Build, Step, LogFile):
            builders = Builder.objects.filter(project__slug=slug)
            return of_builders(request, self.parameter_name, queryset, builders)
        return queryset.filter(project__slug=slug)


WORDS_OF_BUILDS = ("state", "results")
"""Filters of builds by words that each builder's builds have an index for."""


def of_builders(
    request: HttpRequest, parameter: str, queryset: QuerySet[Any], builders: QuerySet[Builder]
) -> QuerySet[Any]:
    """Those builds of the builders, or the steps or logs of their NEWEST_BUILDS newest builds.

    `parameter` is what the builders are asked for by. Where nothing is asked for beside it but words, the newest of
    their builds are looked up; another filter might leave none of these and some that are older.
    """
    if queryset.model is Build:
        if asks_only(request, parameter, *WORDS_OF_BUILDS):
            wanted = {word: request.GET[word] for word in WORDS_OF_BUILDS if word in request.GET}
            return queryset.filter(pk__in=newest_build_ids(builders, MAX_LISTED + 1, wanted=wanted))
        return queryset.filter(builder__in=builders.order_by().values("pk"))
    path = "step__build__in" if queryset.model is LogFile else "build__in"
    return queryset.filter(**{path: newest_build_ids(builders, NEWEST_BUILDS)})


class DateFilter(admin.SimpleListFilter):
    """Of lately, or of a year, a month, a day: a way down that needs no look at what there is in each."""

    title = "started"
    parameter_name = "started"
    field: ClassVar[str] = "started_at"

    LATELY: ClassVar[dict[str, tuple[str, timedelta]]] = {
        "1h": ("the last hour", timedelta(hours=1)),
        "1d": ("the last 24 hours", timedelta(days=1)),
        "7d": ("the last 7 days", timedelta(days=7)),
        "30d": ("the last 30 days", timedelta(days=30)),
    }
    _DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?", re.ASCII)

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Choices:
        """Lately; the years; where one is chosen its months, and of a month its days."""
        lately = [(word, title) for word, (title, _span) in self.LATELY.items()]
        first = self._first(model_admin.model)
        if first is None:
            return lately
        today = timezone.now().date()
        dates = [f"{year}" for year in range(today.year, first.year - 1, -1)]
        found = self._DATE.fullmatch(request.GET.get(self.parameter_name, ""))
        if found:
            year, month, _day = found.groups()
            dates = [year, *(f"{year}-{number:02}" for number in range(1, MONTHS + 1))]
            if month:
                begin, end = self._span(f"{year}-{month}")
                dates = [year, f"{year}-{month}"]
                dates += [f"{begin + timedelta(days=place):%Y-%m-%d}" for place in range((end - begin).days)]
        return [*lately, *((text, text) for text in dates)]

    def _first(self, model: type[Model]) -> datetime | None:
        found: datetime | None = model._default_manager.order_by(self.field).values_list(self.field, flat=True).first()
        return found

    def _span(self, text: str) -> tuple[datetime, datetime]:
        """The first moment of a year, month or day, and the first one after it, in UTC."""
        found = self._DATE.fullmatch(text)
        if found is None:
            raise IncorrectLookupParameters
        year, month, day = (int(part) if part else None for part in found.groups())
        assert year is not None
        try:
            begin = date(year, month or 1, day or 1)
            if day is not None:
                end = begin + timedelta(days=1)
            elif month is not None and month < DECEMBER:
                end = date(year, month + 1, 1)
            else:
                end = date(year + 1, 1, 1)
        except (ValueError, OverflowError):
            raise IncorrectLookupParameters from None
        midnight = datetime.min.time()
        return datetime.combine(begin, midnight, UTC), datetime.combine(end, midnight, UTC)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of that time."""
        value = self.value()
        if value is None:
            return queryset
        if value in self.LATELY:
            return queryset.filter(**{f"{self.field}__gte": timezone.now() - self.LATELY[value][1]})
        begin, end = self._span(value)
        return queryset.filter(**{f"{self.field}__gte": begin, f"{self.field}__lt": end})


class WordFilter(admin.SimpleListFilter):
    """One of a field's words. `common` is one that most rows have: no index is of use for it, and none is tried."""

    field: ClassVar[str]
    words: ClassVar[Choices]
    common: ClassVar[str | None] = None

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Choices:
        """The words."""
        return self.words

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that have the word."""
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.words):
            raise IncorrectLookupParameters
        if value == self.common:
            others = [word for word, _ in self.words if word != value]
            return queryset.exclude(**{f"{self.field}__in": others}).exclude(**{self.field: None})
        fits = Q(**{self.field: value})
        if not asks_only(request, str(self.parameter_name)) and has_many(queryset.model, fits):
            return queryset.filter(looked_at(fits))
        return queryset.filter(fits)


def asks_only(request: HttpRequest, *parameters: str) -> bool:
    """Whether nothing else is asked for, but a page of it."""
    return set(request.GET) <= {*parameters, PAGE_VAR, ERROR_FLAG}


def has_many(model: type[Model], fits: Q) -> bool:
    """Whether so many rows fit that what else is asked for is the better way to those that fit both."""
    many = MANY_ROWS.get(model)
    return many is not None and model._base_manager.filter(fits).order_by().values("pk")[: many + 1].count() > many


def word_filter(field: str, words: Any, *, common: str | None = None, title: str | None = None) -> type[WordFilter]:
    """A filter for the words of a field's choices."""
    members = {
        "title": title or field,
        "parameter_name": field,
        "field": field,
        "words": [(word, word) for word in words.values],
        "common": common,
    }
    return type(f"{field.title()}Filter", (WordFilter,), members)


class FormFilter(admin.SimpleListFilter):
    """How a log's bytes lie."""

    title = "form"
    parameter_name = "form"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Choices:
        """The forms."""
        return [
            ("plain", "plain"),
            ("unsealed", "finished, not sealed"),
            ("sealed", "sealed"),
            ("archived", "archived"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogFile]) -> QuerySet[LogFile]:
        """The logs of that form; plain ones by what few of all logs are: unfinished, or not sealed yet."""
        unsealed = Q(state=LogState.FINISHED, form=LogForm.PLAIN)
        match self.value():
            case None:
                return queryset
            case "plain":
                return queryset.filter(Q(state=LogState.OPEN) | Q(state=LogState.ABANDONED) | unsealed)
            case "unsealed":
                return queryset.filter(unsealed)
            case "sealed" | "archived" as form:
                return queryset.filter(form=form)
            case _:
                raise IncorrectLookupParameters
