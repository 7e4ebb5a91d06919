"""The audit log in the admin: to be read, by nobody to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils.safestring import SafeString

from logviewer.admin.filters import DateFilter, ProjectFilter, word_filter
from logviewer.admin.noun import BoundedAdmin, OnlyLookedAt, Ordering
from logviewer.admin.words import age, details
from logviewer.models import Act, AuditEntry
from logviewer.upkeep.choosing import parse_name

if TYPE_CHECKING:
    from logviewer.admin.filters import Choices

REASON_CHARACTERS = 80


class AuditProjectFilter(ProjectFilter):
    """By the slug that was written down: the project may be gone."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """The entries of that project."""
        slug = self.value()
        return queryset if slug is None else queryset.filter(project_slug=slug.replace("\0", ""))


class WhenFilter(DateFilter):
    """When it was done."""

    title = "time"
    field: ClassVar[str] = "at"


class ActFilter(word_filter("act", Act)):  # type: ignore[misc]  # a class that is made
    """What was done, in the words of the audit log."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Choices:
        """The acts' titles."""
        return [(act.value, str(act.label).lower()) for act in Act]


@admin.register(AuditEntry)
class AuditEntryAdmin(OnlyLookedAt[AuditEntry], BoundedAdmin[AuditEntry]):
    """Who did what to which build or log, and why."""

    actions = None
    list_display = ["when", "act", "target", "actor", "short_reason"]
    list_filter = [ActFilter, AuditProjectFilter, WhenFilter]
    sortable_by = ()
    search_fields = ["pk"]
    search_help_text = "Project, project/builder, project/builder #number, or who did it"
    fields = ("at", "act", "actor", "target", "project_slug", "build_number", "log_id", "reason", "told")
    readonly_fields = fields

    def get_ordering(self, request: HttpRequest) -> Ordering:
        """Newest first; within a time as the time's index has it."""
        return ["-at", "-pk"] if WhenFilter.parameter_name in request.GET else ["-pk"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """The entries of that project, builder or build; else of whom that name is."""
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        name = parse_name(term)
        if name is None or name.project is None:
            return queryset.filter(actor=term), False
        if name.builder is None:
            return queryset.filter(project_slug=name.project) | queryset.filter(actor=term), False
        target = f"{name.project}/{name.builder}"
        found = queryset.filter(project_slug=name.project)
        if name.number is None:
            return found.filter(target__startswith=target), False
        return found.filter(build_number=name.number, target__startswith=f"{target} #"), False

    @admin.display(description="when")
    def when(self, entry: AuditEntry) -> SafeString | str:
        """How long ago."""
        return age(entry.at)

    @admin.display(description="reason")
    def short_reason(self, entry: AuditEntry) -> str:
        """Its beginning."""
        return truncatechars(entry.reason, REASON_CHARACTERS)

    @admin.display(description="details")
    def told(self, entry: AuditEntry) -> SafeString:
        """What else is known of it."""
        return details(entry.details)
