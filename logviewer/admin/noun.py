"""What the admins have in common: links to the nouns' pages, bounded lists, and hands off what intake makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.db import models
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from logviewer.admin.filters import DateFilter, of_builders
from logviewer.admin.lists import BoundedChangeList
from logviewer.models import Build, Builder, LogFile, Member, Project, Step, Token, Webhook
from logviewer.models.audit import project_of, target_text
from logviewer.upkeep.choosing import Name, parse_name

Noun = TypeVar("Noun", bound=models.Model)
Ordering = list[str | Combinable]
Tools = list[tuple[str, str]]
"""Addresses with their names: what may be done to something, and where more is known of it."""


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

    def tools(self, request: HttpRequest, noun: Noun) -> Tools:
        """The buttons of one's page: here the way to what the audit log has of it."""
        asked = entries_of(noun)
        if not asked or not request.user.has_perm("logviewer.view_auditentry"):
            return []
        return [(f"{reverse('admin:logviewer_auditentry_changelist')}?{urlencode(asked)}", "Audit log")]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page of one, under the name that people call it by, with its buttons."""
        noun = kwargs.get("obj")
        context["desk_name"] = target_text(noun) if isinstance(noun, (Builder, Build, LogFile)) else ""
        context["desk_tools"] = [] if noun is None else self.tools(request, noun)
        return super().render_change_form(request, context, *args, **kwargs)


def way_to(noun: models.Model, name: str) -> SafeString:
    """A link to something's own page in the admin."""
    address = reverse(f"admin:{noun._meta.app_label}_{noun._meta.model_name}_change", args=[noun.pk])
    return format_html('<a href="{}"><bdi>{}</bdi></a>', address, name)


def shown_id(request: HttpRequest) -> int:
    """The id of what the page is about; Django has fetched it by then."""
    assert request.resolver_match is not None
    return int(unquote(request.resolver_match.kwargs["object_id"]))


def entries_of(noun: models.Model) -> dict[str, str]:
    """What to ask the audit log's list for, for the entries of something; nothing where it has none."""
    match noun:
        case Step():
            return entries_of(noun.build)
        case LogFile():
            return entries_of(noun.step.build)
        case Builder() | Build():
            return {"q": target_text(noun)}
        case Project() | Token() | Member() | Webhook():
            project = project_of(noun)
            return {} if project is None else {"project": project.slug}
        case _:
            return {}


class OnlyLookedAt(NounAdmin[Noun]):
    """What the server makes: here it is looked at, never made and never changed."""

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
